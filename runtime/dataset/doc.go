/*
Package dataset reads labeled images and makes batches of them for training and evaluation.

[Open] opens one split of a data set in any of these formats, which it can tell apart by itself:

	idx          MNIST and its kin: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-…; plain or
	             gzipped, with "-idx3" or ".idx3"
	cifar10      the binary version: data_batch_1.bin …, test_batch.bin, batches.meta.txt
	cifar100     the binary version: train.bin, test.bin, fine_label_names.txt
	svhn         the cropped digits: train_32x32.mat, test_32x32.mat, as they are distributed
	npz          one .npz file: x_train, y_train, x_test, y_test, or train_images, train_labels, …, or
	             images, labels; also of val
	webdataset   tar files, root/train-0000.tar … or root/train/0000.tar …, with KEY.jpg or KEY.png beside
	             KEY.cls, which has the class number as text, or KEY.json, such as {"label": 3}
	imagefolder  root/train/<class>/*.png, root/val/<class>/*.jpg and root/test/…, or root/<class>/*.png

A [Dataset] gives samples as raw pixels. A [Loader] makes batches from them:

	augmentation on raw pixels → (pixel/255 - mean) / std → [N, C, H, W]

Every batch is a function of (seed, epoch, step), whatever the number of workers, so a run can be stopped
and resumed anywhere:

	set, err := dataset.Open("fashion-mnist", dataset.Options{Shape: dataset.Shape{Channels: 1, Height: 32, Width: 32}, Resize: true})
	…
	normalize, err := dataset.NamedNormalization("fashion-mnist")
	…
	loader, err := dataset.NewLoader(set, dataset.LoaderOptions{BatchSize: 128, Shuffle: true, Normalize: normalize})
	…
	for batch, err := range loader.Batches(ctx, epoch, 0) {
		if err != nil {
			return err
		}
		train(batch.Images, batch.Labels)
	}

A new format is one file and one row of formats; a new augmentation is one function and one row of
augmentations.
*/
package dataset
