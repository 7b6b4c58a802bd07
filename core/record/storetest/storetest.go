// Package storetest is the contract of record.Objects as a test. Compare-and-set
// is what keeps two functions from undoing each other's work and "absent" is
// what lets one begin from nothing, so an adapter that is nearly right is worse
// than none: every adapter runs [Run], against the strictest emulation of its
// store there is.
//
// [Memory] is the contract in its shortest form, for tests of what stands above
// a store.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"byokwatch/core"
	"byokwatch/core/record"
)

// Run puts a store through the contract. open returns an empty one each time;
// several of them may be in use at once.
func Run(t *testing.T, open func(t *testing.T) record.Objects) {
	for sentence, check := range map[string]func(*testing.T, record.Objects){
		"an empty store has nothing, and says so":                  empty,
		"an object reads back as it was written":                   readBack,
		"creating is refused where something is":                   createOnly,
		"replacing is refused where nothing is":                    replaceAbsent,
		"replacing is refused once somebody else wrote":            stale,
		"of many writers with one version exactly one wins":        oneWins,
		"of many creators exactly one wins":                        oneCreates,
		"no update is lost among writers that look again":          counter,
		"a reader sees whole objects while they are replaced":      atomic,
		"a large object is no different":                           large,
		"a list has the names with the prefix, sorted":             list,
		"a list is whole however many names there are":             longList,
		"every name within the rules works":                        goodNames,
		"every name outside the rules is refused":                  badNames,
		"an ended context ends a call before it does anything":     ended,
		"what was handed over is not changed by its owner's hands": notShared,
	} {
		t.Run(sentence, func(t *testing.T) { check(t, open(t)) })
	}
}

func empty(t *testing.T, o record.Objects) {
	_, err := o.Get(t.Context(), "records/aws/none.json")
	want(t, "get of an absent object", err, core.ErrNotFound)
	names, err := o.List(t.Context(), "")
	want(t, "list", err, nil)
	if len(names) != 0 {
		t.Errorf("list of an empty store: %q", names)
	}
	names, err = o.List(t.Context(), "kept/aws/none/")
	want(t, "list of an absent folder", err, nil)
	if len(names) != 0 {
		t.Errorf("list of an absent folder: %q", names)
	}
}

func readBack(t *testing.T, o record.Objects) {
	var last record.Object
	for i, data := range []string{"", "{}", `{"a":"\u2028"}`, "\x00\xff\r\n not even text"} {
		name := fmt.Sprintf("a/b-%d.json", i)
		version := put(t, o, name, data, "")
		got := get(t, o, name)
		if string(got.Data) != data {
			t.Errorf("read %q, wrote %q", got.Data, data)
		}
		if got.Version == "" || got.Version != version {
			t.Errorf("get has version %q, put answered %q", got.Version, version)
		}
		if got.Modified.IsZero() || got.Modified.Before(last.Modified) {
			t.Errorf("modified at %v, an object before it at %v", got.Modified, last.Modified)
		}
		last = got
	}
}

func createOnly(t *testing.T, o record.Objects) {
	version := put(t, o, "a.json", "first", "")
	for _, data := range []string{"second", "first"} {
		next, err := o.Put(t.Context(), "a.json", []byte(data), "")
		want(t, "create over an object", err, core.ErrConflict)
		if next != "" {
			t.Errorf("a refused write answered version %q", next)
		}
	}
	if got := get(t, o, "a.json"); string(got.Data) != "first" || got.Version != version {
		t.Errorf("a refused write left %q in version %q", got.Data, got.Version)
	}
}

func replaceAbsent(t *testing.T, o record.Objects) {
	version := put(t, o, "a.json", "x", "")
	_, err := o.Put(t.Context(), "b.json", []byte("x"), version)
	want(t, "replace an absent object", err, core.ErrConflict)
	_, err = o.Get(t.Context(), "b.json")
	want(t, "get after a refused write", err, core.ErrNotFound)
}

func stale(t *testing.T, o record.Objects) {
	first := put(t, o, "a.json", "1", "")
	second := put(t, o, "a.json", "2", first)
	if first == second {
		t.Fatalf("other data, but the version stays %q", first)
	}
	_, err := o.Put(t.Context(), "a.json", []byte("3"), first)
	want(t, "replace with the version before", err, core.ErrConflict)
	_, err = o.Put(t.Context(), "a.json", []byte("3"), "never-a-version")
	want(t, "replace with a version that never was", err, core.ErrConflict)
	if got := get(t, o, "a.json"); string(got.Data) != "2" || got.Version != second {
		t.Errorf("a refused write left %q in version %q", got.Data, got.Version)
	}
	put(t, o, "a.json", "3", second)
}

const writers = 8

// race runs n writers at once and returns how many of them won; losers must
// have lost by conflict.
func race(t *testing.T, write func(i int) error) int {
	t.Helper()
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { errs[i] = write(i) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, core.ErrConflict):
			t.Errorf("a lost race is %v, want a conflict", err)
		}
	}
	return won
}

func oneWins(t *testing.T, o record.Objects) {
	version := put(t, o, "a.json", "start", "")
	for round := range 5 {
		won := race(t, func(i int) error {
			_, err := o.Put(t.Context(), "a.json", fmt.Appendf(nil, "%d-%d", round, i), version)
			return err
		})
		if won != 1 {
			t.Fatalf("round %d: %d writers won", round, won)
		}
		version = get(t, o, "a.json").Version
	}
}

func oneCreates(t *testing.T, o record.Objects) {
	for round := range 5 {
		won := race(t, func(int) error {
			_, err := o.Put(t.Context(), fmt.Sprintf("new/%d.json", round), []byte("same"), "")
			return err
		})
		if won != 1 {
			t.Fatalf("round %d: %d creators won", round, won)
		}
	}
}

func counter(t *testing.T, o record.Objects) {
	const each = 4
	put(t, o, "n.json", "0", "")
	add := func() error {
		for range each * writers * 10 { // far more often than it can lose
			obj, err := o.Get(t.Context(), "n.json")
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(obj.Data))
			if err != nil {
				return err
			}
			_, err = o.Put(t.Context(), "n.json", strconv.AppendInt(nil, int64(n+1), 10), obj.Version)
			if !errors.Is(err, core.ErrConflict) {
				return err
			}
		}
		return errors.New("lost every race")
	}
	race(t, func(int) error {
		for range each {
			if err := add(); err != nil {
				return err
			}
		}
		return nil
	})
	if got := string(get(t, o, "n.json").Data); got != strconv.Itoa(each*writers) {
		t.Errorf("%d increments made %s", each*writers, got)
	}
}

func atomic(t *testing.T, o record.Objects) {
	const size = 256 << 10
	version := put(t, o, "a.json", strings.Repeat("a", size), "")
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				obj, err := o.Get(t.Context(), "a.json")
				if err != nil {
					t.Errorf("get while it is replaced: %v", err)
					return
				}
				if len(obj.Data) != size || bytes.Count(obj.Data, obj.Data[:1]) != size {
					t.Errorf("read a mixture of two writes, or %d bytes of %d", len(obj.Data), size)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 10 {
		version = put(t, o, "a.json", strings.Repeat(string(rune('b'+i)), size), version)
	}
	close(done)
	wg.Wait()
}

func large(t *testing.T, o record.Objects) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 6<<20/16)
	put(t, o, "big.json", string(data), "")
	if got := get(t, o, "big.json"); !bytes.Equal(got.Data, data) {
		t.Errorf("read %d bytes that differ from the %d written", len(got.Data), len(data))
	}
}

func list(t *testing.T, o record.Objects) {
	all := []string{
		"requests/aws/k-1.json", "requests/aws/k-10/hold.json", "requests/aws/k-1/accept.json", "requests/aws/k-1/hold.json",
		"requests/aws/k.1.json", "requests/aws/k_1.json", "requests/awsome.json", "requests/azure/k-1/hold.json", "requestsx",
	}
	for _, name := range all {
		put(t, o, name, name, "")
	}
	slices.Sort(all)
	for _, prefix := range []string{"", "requests", "requests/", "requests/aws", "requests/aws/", "requests/aws/k-1", "requests/aws/k-1/", "requests/aws/k-1/h", "requests/gcp/", "nothing"} {
		var expect []string
		for _, name := range all {
			if strings.HasPrefix(name, prefix) {
				expect = append(expect, name)
			}
		}
		got, err := o.List(t.Context(), prefix)
		want(t, "list", err, nil)
		if !slices.Equal(got, expect) {
			t.Errorf("list of %q:\n got %q\nwant %q", prefix, got, expect)
		}
	}
}

func longList(t *testing.T, o record.Objects) {
	var expect []string
	for i := range 60 {
		name := fmt.Sprintf("kept/aws/k/snapshots/%010d-%08x.json", i, i*7919)
		put(t, o, name, "x", "")
		expect = append(expect, name)
	}
	put(t, o, "kept/aws/k/snapshotz.json", "x", "")
	got, err := o.List(t.Context(), "kept/aws/k/snapshots/")
	want(t, "list", err, nil)
	if !slices.Equal(got, expect) {
		t.Errorf("list has %d names, want %d:\n%q", len(got), len(expect), got)
	}
}

func goodNames(t *testing.T, o record.Objects) {
	for _, name := range []string{
		"a", "0", "-", "_", "-rf", "a-b_c.d", "a..b/c.", "x.json/y", "con", "nul.json", "q/b/c/d/e/f/g/h/i/j",
		strings.Repeat("n", 120) + "/" + strings.Repeat("m", 134),
	} {
		put(t, o, name, name, "")
	}
	for _, name := range []string{"a-b_c.d", "a..b/c.", "-rf"} {
		if got := string(get(t, o, name).Data); got != name {
			t.Errorf("under %q stands %q", name, got)
		}
	}
}

func badNames(t *testing.T, o record.Objects) {
	for _, name := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", ".a", "a/.b", "A", "a b", "a\x00b", "a\\b", "a%2fb", "é", "a:b", "a*", strings.Repeat("x", 256),
	} {
		_, err := o.Get(t.Context(), name)
		refused(t, "get of "+strconv.Quote(name), err)
		_, err = o.Put(t.Context(), name, []byte("x"), "")
		refused(t, "put of "+strconv.Quote(name), err)
	}
	for _, prefix := range []string{"/", "..", "../", "a/../b", "a//", "A", "."} {
		_, err := o.List(t.Context(), prefix)
		refused(t, "list of "+strconv.Quote(prefix), err)
	}
	names, err := o.List(t.Context(), "")
	want(t, "list", err, nil)
	if len(names) != 0 {
		t.Errorf("refused names were stored all the same: %q", names)
	}
}

func ended(t *testing.T, o record.Objects) {
	version := put(t, o, "a.json", "1", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := o.Get(ctx, "a.json")
	want(t, "get", err, context.Canceled)
	_, err = o.Get(ctx, "absent.json")
	want(t, "get of an absent object", err, context.Canceled)
	_, err = o.Put(ctx, "a.json", []byte("2"), version)
	want(t, "replace", err, context.Canceled)
	_, err = o.Put(ctx, "b.json", []byte("2"), "")
	want(t, "create", err, context.Canceled)
	_, err = o.List(ctx, "")
	want(t, "list", err, context.Canceled)
	names, err := o.List(t.Context(), "")
	want(t, "list", err, nil)
	if got := get(t, o, "a.json"); string(got.Data) != "1" || len(names) != 1 {
		t.Errorf("calls that had ended left %q and names %q", got.Data, names)
	}
}

func notShared(t *testing.T, o record.Objects) {
	data := []byte("mine")
	version, err := o.Put(t.Context(), "a.json", data, "")
	want(t, "put", err, nil)
	copy(data, "your")
	obj := get(t, o, "a.json")
	if string(obj.Data) != "mine" || obj.Version != version {
		t.Fatalf("the writer's buffer reaches into the store: %q", obj.Data)
	}
	copy(obj.Data, "ours")
	if got := get(t, o, "a.json"); string(got.Data) != "mine" {
		t.Fatalf("a reader's buffer reaches into the store: %q", got.Data)
	}
}

func put(t *testing.T, o record.Objects, name, data, version string) string {
	t.Helper()
	next, err := o.Put(t.Context(), name, []byte(data), version)
	if err != nil {
		t.Fatalf("put %s over version %q: %v", name, version, err)
	}
	if next == "" {
		t.Fatalf("put %s answered no version", name)
	}
	return next
}

func get(t *testing.T, o record.Objects, name string) record.Object {
	t.Helper()
	obj, err := o.Get(t.Context(), name)
	if err != nil {
		t.Fatalf("get %s: %v", name, err)
	}
	return obj
}

func want(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%s: error %v, want %v", what, err, target)
	}
}

// refused wants an error, and none that says something about an object.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrConflict) {
		t.Fatalf("%s: error %v, want a refusal", what, err)
	}
}
