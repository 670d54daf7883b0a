package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
)

// full is a stream with room for so many bytes.
type full struct {
	room int
	err  error // what writing more gives
}

// Write implements io.Writer.
func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		n := f.room
		f.room = 0
		return n, f.err
	}
	f.room -= len(p)
	return len(p), nil
}

// TestLostResults runs everything that writes to standard output where that takes nothing, or only a part: it fails, and says so,
// unless nobody reads, which ends the program as the signal for that does elsewhere.
func TestLostResults(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "blocks.onnx")
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	writeFolders(t, "folders", "cat", "dog")
	for _, command := range []string{
		"--help", "--version", "help train", "train --help", "completion bash", "completion zsh",
		"inspect model.onnx", "inspect blocks.onnx --json", "inspect model.onnx --plan",
		"doctor", "doctor --json",
		"new lenet -o new.onnx", "new lenet -o new.onnx --json", "new lenet -o -",
		"convert model.onnx -o out.onnx", "convert model.onnx -o out.onnx --json", "convert model.onnx -o -",
		"recalibrate net.onnx -o out.onnx --data bands -b 8", "export blocks.onnx -o out.onnx", "export blocks.onnx -o out.onnx --json", "export blocks.onnx -o -",
		"eval model.onnx --data bands", "eval model.onnx --data bands --per-class", "eval model.onnx --data bands --json",
		"predict model.onnx folders --normalize none", "predict model.onnx folders --normalize none --json",
		"train model.onnx -o trained.onnx --data bands -b 8 --epochs 1 --resume", "train model.onnx -o trained.onnx --data bands -b 8 --epochs 1 --resume --json",
		"train model.onnx -o - --run-dir trained.run --data bands -b 8 --epochs 1 --resume",
		"compare model.onnx -o comparison --data bands -b 8 --epochs 1 --variants baseline", "compare model.onnx -o comparison --data bands -b 8 --epochs 1 --variants baseline --json",
	} {
		args := strings.Fields(command)
		whole := new(bytes.Buffer)
		if code := execute(context.Background(), args, whole, io.Discard); code != exitDone || whole.Len() == 0 {
			t.Errorf("%s: exit code %d, wrote %d bytes", command, code, whole.Len())
			continue
		}
		for _, room := range []int{0, whole.Len() / 2, whole.Len() - 1} {
			var talk bytes.Buffer
			code := execute(context.Background(), args, &full{room, errors.New("no room")}, &talk)
			if last := lastLine(talk.String()); code != exitFailed || !strings.HasPrefix(last, "rcfreeze: ") || !strings.Contains(last, "standard output: no room") {
				t.Errorf("%s, with room for %d of %d bytes: exit code %d, said %q", command, room, whole.Len(), code, last)
			}
			talk.Reset()
			code = execute(context.Background(), args, &full{room, syscall.EPIPE}, &talk)
			if last := lastLine(talk.String()); code != exitSignal+int(syscall.SIGPIPE) || strings.Contains(last, "rcfreeze: ") && !strings.Contains(command+" ", "-o - ") {
				t.Errorf("%s, which nobody reads beyond %d of %d bytes: exit code %d, said %q", command, room, whole.Len(), code, last)
			}
		}
	}
}

func lastLine(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// TestUnreadTalk stops a run whose talk nobody reads any more: it can be resumed.
func TestUnreadTalk(t *testing.T) {
	workshop(t)
	_, talk, code := call(trainArgs("model.onnx", "whole.onnx")...)
	room := strings.Index(talk, "epoch 2/3: ") // some bytes more or less, as the free memory is
	if code != exitDone || room < 0 {
		t.Fatalf("exit code %d: %s", code, talk)
	}
	if code := execute(context.Background(), trainArgs("model.onnx", "parts.onnx"), io.Discard, &full{room, syscall.EPIPE}); code != exitSignal+int(syscall.SIGPIPE) {
		t.Errorf("exit code %d", code)
	}
	if _, stderr, code := call(trainArgs("model.onnx", "parts.onnx")...); code != exitFailed || !strings.Contains(stderr, "holds a run") {
		t.Errorf("no work was saved, this tests nothing: %s", stderr)
	}
	succeed(t, trainArgs("model.onnx", "parts.onnx", "--resume")...)
	if !bytes.Equal(read(t, "whole.onnx"), read(t, "parts.onnx")) {
		t.Error("a run in two parts gave another model than one in one part")
	}
	// What cannot be said for another reason does not stop anything.
	if code := execute(context.Background(), trainArgs("model.onnx", "mute.onnx"), io.Discard, &full{0, errors.New("no room")}); code != exitDone || !bytes.Equal(read(t, "whole.onnx"), read(t, "mute.onnx")) {
		t.Errorf("a run that can say nothing has exit code %d, or gives another model", code)
	}
}
