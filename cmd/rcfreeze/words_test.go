package main

import "testing"

func TestFraction(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "1/255": 1.0 / 255, "0.03": 0.03, "8/255": 8.0 / 255, "1": 1, "2/4": 0.5} {
		var f fraction
		if err := f.Set(text); err != nil || float64(f) != want {
			t.Errorf("%q is %v (%v), want %v", text, float64(f), err, want)
		}
	}
	for _, text := range []string{"", "x", "1/0", "-1", "2", "1/-2", "NaN", "1/2/3", "Inf"} {
		f := fraction(0.25)
		if err := f.Set(text); err == nil || f != 0.25 {
			t.Errorf("%q was taken for %v", text, float64(f))
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]number{0: "0", 7: "7", 999: "999", 1000: "1,000", 61706: "61,706", 1234567: "1,234,567", -100: "-100", -1000: "-1,000"} {
		if got := count(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
	if got := known(0) + " " + known(1000) + " " + percent(0.9202) + " " + decimal(0.000123456); got != "? 1,000 92.02 % 0.0001235" {
		t.Errorf("got %s", got)
	}
}

func TestFlagNames(t *testing.T) {
	for name, want := range map[string]string{"opt": "optimizer", "sched": "scheduler", "smoothing": "label-smoothing", "batch_size": "batch-size", "lr": "lr"} {
		if got := string(flagName(nil, name)); got != want {
			t.Errorf("--%s means --%s, want --%s", name, got, want)
		}
	}
}
