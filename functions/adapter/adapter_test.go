package adapter_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"byokwatch/core"
	"byokwatch/functions/adapter"
)

var (
	errBusy   = errors.New("busy")
	errClosed = errors.New("closed")
)

func understand(err error) (*adapter.Fault, bool) {
	f := &adapter.Fault{Err: err}
	if errors.Is(err, errClosed) {
		f.Code, f.Kind = "CLOSED", core.ErrDenied
	}
	return f, f.Kind == nil && !errors.Is(err, context.Canceled)
}

func TestACallIsRepeatedWhileItHelps(t *testing.T) {
	for name, test := range map[string]struct {
		limit, reserve time.Duration // of the context; 0: none
		takes          time.Duration // each try
		errs           []error       // of the tries in turn; the last for good
		want           []error       // that the error is; none: it succeeds
		least, most    time.Duration
	}{
		"an answer at once":                  {errs: []error{nil}},
		"what passes":                        {errs: []error{errBusy, errBusy, nil}, most: 2 * time.Second},
		"what is final":                      {errs: []error{errBusy, errClosed}, want: []error{core.ErrDenied, errClosed}, most: time.Second},
		"what never passes":                  {limit: 10 * time.Second, errs: []error{errBusy}, want: []error{errBusy, context.DeadlineExceeded}, least: 6 * time.Second, most: 10 * time.Second},
		"a reserve is left":                  {limit: 10 * time.Second, reserve: 5 * time.Second, errs: []error{errBusy}, want: []error{errBusy}, least: 2 * time.Second, most: 5 * time.Second},
		"half of what is short is left":      {limit: 4 * time.Second, reserve: 5 * time.Second, errs: []error{errBusy}, want: []error{errBusy}, most: 2 * time.Second},
		"without a deadline it ends as well": {errs: []error{errBusy}, want: []error{errBusy}, least: time.Minute, most: 2 * time.Minute},
		"one try does not take all the time": {limit: 20 * time.Second, takes: time.Hour, errs: []error{nil}, want: []error{context.DeadlineExceeded}, least: 15 * time.Second, most: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, begun, n := t.Context(), time.Now(), 0
				if test.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.limit)
					defer cancel()
				}
				_, err := adapter.Call(ctx, adapter.Attempt, test.reserve, understand, func(ctx context.Context) (int, error) {
					n++
					select {
					case <-time.After(test.takes):
						return n, test.errs[min(n, len(test.errs))-1]
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				})
				if (err == nil) != (test.want == nil) {
					t.Errorf("%v", err)
				}
				for _, want := range test.want {
					if !errors.Is(err, want) {
						t.Errorf("%v is not %v", err, want)
					}
				}
				if took := time.Since(begun); took < test.least || took > test.most {
					t.Errorf("took %s in %d tries", took, n)
				}
				if test.takes > 0 && n < 3 {
					t.Errorf("%d tries", n)
				}
			})
		})
	}
}

func TestAKeyIsAbsentOnlyIfAllSaySo(t *testing.T) {
	gone := &adapter.Fault{Code: "404", Kind: core.ErrNotFound, Err: errors.New("no such key")}
	denied := &adapter.Fault{Code: "403", Kind: core.ErrDenied, Err: errors.New("refused")}
	for name, test := range map[string]struct {
		errs         []error
		gone, denied bool
	}{
		"all":               {[]error{gone, gone}, true, false},
		"beside a refusal":  {[]error{gone, denied}, false, true},
		"beside an outage":  {[]error{errBusy, gone}, false, false},
		"nothing but those": {[]error{denied, denied, errBusy}, false, true},
	} {
		err := adapter.Nothing(test.errs...)
		if errors.Is(err, core.ErrNotFound) != test.gone || errors.Is(err, core.ErrDenied) != test.denied {
			t.Errorf("%s: %v", name, err)
		}
		for _, e := range test.errs {
			if !strings.Contains(err.Error(), e.Error()) {
				t.Errorf("%s: %v does not tell %v", name, err, e)
			}
		}
	}
}

func TestWhatAStepCameTo(t *testing.T) {
	s := core.Step{Op: "Put", ID: "key"}
	if err := adapter.Done(s, nil); err != nil {
		t.Error(err)
	}
	err := adapter.Done(s, &adapter.Fault{Kind: core.ErrNotFound, Err: errors.New("no such key")})
	if !errors.Is(err, core.ErrRejected) || !strings.HasPrefix(err.Error(), "Put on key: ") {
		t.Error(err)
	}
	err = adapter.Done(s, adapter.Unsent("body: %w", errBusy))
	if !errors.Is(err, core.ErrRejected) || !errors.Is(err, errBusy) || err.Error() != "Put on key: body: busy: nothing was sent: rejected" {
		t.Error(err)
	}
}

func TestACloudThatSaysHowLongToWaitIsWaitedForOrGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		after       time.Duration
		least, most time.Duration
		tries       int
		want        error
	}{
		"what it says":              {3 * time.Second, 6 * time.Second, 6 * time.Second, 3, nil},
		"longer than there is time": {20 * time.Second, 0, 0, 1, errBusy},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			begun, n := time.Now(), 0
			waiting := func(err error) (*adapter.Fault, bool) { return &adapter.Fault{Err: err, After: test.after}, true }
			_, err := adapter.Call(ctx, adapter.Attempt, adapter.Reserve, waiting, func(context.Context) (int, error) {
				if n++; n == 3 {
					return n, nil
				}
				return 0, errBusy
			})
			if took := time.Since(begun); !errors.Is(err, test.want) || n != test.tries || took < test.least || took > test.most {
				t.Errorf("%s: %v after %s in %d tries", name, err, took, n)
			}
		})
	}
}
