package chaostest_test

import (
	"testing"
	"time"

	"byokwatch/core/watchdog/chaostest"
)

func TestAFateDependsOnItsOwnCallAlone(t *testing.T) {
	odds := chaostest.Odds{Throttle: 0.3, Lost: 0.3, Slow: 0.3, SlowFor: time.Second}
	a, b, other := chaostest.NewDice(7, odds), chaostest.NewDice(7, odds), chaostest.NewDice(8, odds)
	alike, throttled := 0, 0
	for range 200 {
		b.Fate("Get", "another") // what else runs changes nothing
		x, y := a.Fate("Put", "one"), b.Fate("Put", "one")
		if x != y {
			t.Fatalf("call %d: %+v and %+v by the same seed", x.N, x, y)
		}
		if other.Fate("Put", "one") == x {
			alike++
		}
		if x.Kind == chaostest.Throttle {
			throttled++
		}
	}
	if alike > 150 || throttled < 30 || throttled > 90 {
		t.Errorf("%d of 200 are alike by another seed, %d throttled of about 60", alike, throttled)
	}
	if a.Calls("Put") != 200 || b.Calls("") != 400 {
		t.Errorf("counted %d and %d calls", a.Calls("Put"), b.Calls(""))
	}
}

func TestInjectedFaultsHappenAsOftenAsAsked(t *testing.T) {
	d := chaostest.NewDice(1, chaostest.Odds{})
	d.Inject(chaostest.Fault{Op: "Put", Kind: chaostest.Internal, Times: 2})
	d.Inject(chaostest.Fault{Kind: chaostest.Other, Code: "Conflict", Status: 409})
	var got []chaostest.Kind
	for _, op := range []string{"Put", "Get", "Put", "Put", "Get"} {
		got = append(got, d.Fate(op, "x").Kind)
	}
	want := []chaostest.Kind{chaostest.Internal, chaostest.Other, chaostest.Internal, "", ""}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	d.Inject(chaostest.Fault{Kind: chaostest.Dropped})
	d.Heal()
	if f := d.Fate("Put", "x"); f.Kind != "" {
		t.Errorf("after healing: %+v", f)
	}
}

func TestAHistoryShowsAWriteOnceItsTimeHasCome(t *testing.T) {
	start := time.Unix(1000, 0)
	var h chaostest.History[string]
	h.Set("old", start)
	h.Set("new", start.Add(time.Minute))
	if h.Now() != "new" || h.At(start, false) != "old" || h.At(start.Add(time.Minute), false) != "new" || h.At(start.Add(time.Hour), true) != "old" {
		t.Errorf("now %s, then %s, later %s, back %s", h.Now(), h.At(start, false), h.At(start.Add(time.Minute), false), h.At(start.Add(time.Hour), true))
	}
}

func TestReadsFlapBeforeTheirTime(t *testing.T) {
	d := chaostest.NewDice(5, chaostest.Odds{StaleFor: time.Minute, Flap: true})
	ahead := 0
	for range 200 {
		if d.Fate("Get", "x").Ahead {
			ahead++
		}
	}
	if ahead < 60 || ahead > 140 {
		t.Errorf("%d of 200 reads are ahead, want about half", ahead)
	}
	d.SetOdds(chaostest.Odds{StaleFor: time.Minute})
	if d.Fate("Get", "x").Ahead {
		t.Error("ahead without Flap")
	}
}
