// Package normalization folds batch normalizations into the layers before them, and adds new ones after frozen blocks.
package normalization
