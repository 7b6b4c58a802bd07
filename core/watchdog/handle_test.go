package watchdog_test

import (
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
)

const (
	gone   = "allow self write"
	gutted = "allow kafka encrypt\nallow self write"
)

func TestWhatWasLostComesBack(t *testing.T) {
	for name, c := range map[string]struct{ edit, want string }{
		"all access removed":                      {gone, whole},
		"one permission removed":                  {gutted, whole},
		"the others' edit is kept":                {gone + "\nallow audit decrypt", whole + "\nallow audit decrypt"},
		"a deny of everybody is not ours to drop": {gone + "\ndeny * sign", whole + "\ndeny * sign"},
	} {
		t.Run(name, func(t *testing.T) {
			armed(t, func(w *world) {
				w.mustHandle(w.edit("terraform", c.edit))
				w.wantText(c.want)
				w.wantWrites(1)
				w.passes(time.Hour)
				w.wantWrites(1)
				told := w.chat.codes()
				if told[0] != alert.Restored || told[len(told)-1] != alert.Recovered {
					t.Errorf("told %q", told)
				}
				if who := w.chat.last(alert.Restored).Facts.Who; who == nil || who.Actor.Name != "terraform" {
					t.Errorf("named %v", who)
				}
				rec := w.record()
				if rec.Incident != nil || len(rec.Outbox) != 0 || len(rec.Restores) != 1 {
					t.Errorf("left behind: %+v", rec)
				}
				ins, err := record.NewStore(w.memory, nil).Incidents(w.Context(), w.key)
				if err != nil || len(ins) != 1 || ins[0].Outcome != "recovered" {
					t.Errorf("kept incidents: %+v, %v", ins, err)
				}
			})
		})
	}
}

func TestLossesThatAreNotAnsweredWithAWrite(t *testing.T) {
	for name, c := range map[string]struct {
		setup func(w *world)
		edit  string
		told  []alert.Code
	}{
		"mode observe": {
			setup: func(w *world) { w.key.Mode = core.Observe },
			edit:  gone, told: []alert.Code{alert.ProtectsLess, alert.Observed},
		},
		"a hold": {
			setup: func(w *world) {
				w.request(record.Hold{Until: time.Now().Add(time.Hour), By: "jane", Reason: "maintenance"})
			},
			edit: gone, told: []alert.Code{alert.Observed},
		},
		"a revocation": {edit: gone + "\nrevoked SEC-812", told: []alert.Code{alert.Revoked}},
		"a role added to the configuration": {
			setup: func(w *world) { w.key.Needs.Roles = []string{"kafka", "mallory"} },
			edit:  whole, told: []alert.Code{alert.NeverHad},
		},
		"a condition that nobody can decide": {
			edit: "maybe kafka decrypt\nallow kafka encrypt\nallow self write", told: []alert.Code{alert.Unclear},
		},
		"the watchdog's own right removed":              {edit: "allow kafka encrypt\nallow kafka decrypt", told: []alert.Code{alert.RightsGone}},
		"both removed":                                  {edit: "allow audit decrypt", told: []alert.Code{alert.LockedOut}},
		"a disabled key":                                {edit: whole + "\ndisabled", told: []alert.Code{alert.KeyDisabled}},
		"a disabled key that also lost access":          {edit: gone + "\ndisabled", told: []alert.Code{alert.KeyDisabled}},
		"a policy that does not parse":                  {edit: "nonsense", told: []alert.Code{alert.Blind}},
		"a deny that names only Confluent, for a while": {edit: whole + "\ndeny kafka decrypt", told: []alert.Code{alert.OnlyConfluent}},
	} {
		t.Run(name, func(t *testing.T) {
			armed(t, func(w *world) {
				before := w.record().Snapshot
				if c.setup != nil {
					c.setup(w)
				}
				w.mustHandle(w.edit("jane", c.edit))
				w.tick()
				w.wantWrites(0)
				w.wantText(c.edit)
				w.wantTold(c.told...)
				if got := w.record().Snapshot; got.Sum != before.Sum {
					t.Errorf("snapshot became %+v", got)
				}
			})
		})
	}
}

func TestADenyOfOnlyConfluentIsAskedAboutFirst(t *testing.T) {
	edit := whole + "\ndeny kafka decrypt"
	t.Run("nobody answers", func(t *testing.T) {
		armed(t, func(w *world) {
			w.mustHandle(w.edit("jane", edit))
			if len(w.chat.last(alert.OnlyConfluent).Facts.Commands) == 0 {
				t.Error("no commands for whoever wants it undone now")
			}
			time.Sleep(29 * time.Minute)
			w.tick()
			w.wantWrites(0)
			time.Sleep(2 * time.Minute)
			w.tick()
			w.wantWrites(1)
			w.wantText(whole)
		})
	})
	t.Run("released", func(t *testing.T) {
		armed(t, func(w *world) {
			w.mustHandle(w.edit("jane", edit))
			time.Sleep(time.Minute)
			w.request(record.Hold{Released: true, By: "jane"})
			w.tick()
			w.wantWrites(1)
		})
	})
	t.Run("revoked", func(t *testing.T) {
		armed(t, func(w *world) {
			w.mustHandle(w.edit("jane", edit))
			w.cloud.set(edit + "\nrevoked SEC-812")
			w.passes(2 * time.Hour)
			w.wantWrites(0)
			w.wantTold(alert.OnlyConfluent, alert.Revoked)
		})
	})
}

func TestAReinstateFromBeforeTheRevocationEndsNothing(t *testing.T) {
	armed(t, func(w *world) {
		w.request(record.Reinstate{By: "jane", Reason: "of an older revocation"})
		time.Sleep(time.Minute)
		w.mustHandle(w.edit("jane", gone+"\nrevoked SEC-812"))
		w.mustHandle(w.edit("pipeline", gone))
		w.passes(time.Hour)
		w.wantWrites(0)
		w.wantTold(alert.Revoked, alert.RequestRefused, alert.MarkerGone)
	})
}

func TestOneAcceptedDoubtDoesNotHideAnother(t *testing.T) {
	edit := "maybe kafka decrypt\nallow kafka encrypt\nallow self write"
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", edit))
		w.request(record.Accept{Digest: toyDigest(toyDoc(edit)), By: "jane"})
		w.tick()
		w.mustHandle(w.edit("mallory", edit+"\nmaybe kafka encrypt\ndeny * sign"))
		w.mustHandle(w.edit("mallory", strings.Replace(edit, "allow kafka encrypt", "maybe kafka encrypt", 1)))
		w.wantTold(alert.Unclear, alert.Promoted, alert.Promoted, alert.Unclear)
	})
}

func TestAJudgeThatChangedItsMindWritesNothing(t *testing.T) {
	armed(t, func(w *world) {
		w.rules.Judge = func(p core.Policy, q core.Question) core.Judgement {
			j := toyJudge(p, q)
			for i := range j.Findings {
				if j.Findings[i].Permission == "decrypt" {
					j.Findings[i].Result = core.Missing
				}
			}
			return j
		}
		w.mustHandle(w.event("jane", whole))
		w.passes(2 * time.Hour)
		w.wantWrites(0)
		w.wantTold(alert.NeverHad)
		if got := w.record().Snapshot.Generation; got != 1 {
			t.Errorf("generation %d", got)
		}
	})
}

func TestTheWriteGuardHasTheLastWord(t *testing.T) {
	armed(t, func(w *world) {
		w.rules.Candidates = func(live, good core.Policy, q core.Question, lost []core.Requirement) ([]core.Candidate, error) {
			all, err := toyCandidates(live, good, q, lost)
			body := []byte(`"` + strings.ReplaceAll(whole+"\nallow mallory decrypt", "\n", `\n`) + `"`)
			all[0].Result, all[0].Steps[0].Body = toyDoc(whole+"\nallow mallory decrypt"), body
			return all, err
		}
		w.mustHandle(w.edit("terraform", gone))
		w.wantWrites(0)
		w.wantTold(alert.GuardRefused)
	})
}

func TestARevocationOutlivesItsMark(t *testing.T) {
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", gone+"\nrevoked SEC-812"))
		w.mustHandle(w.edit("pipeline", gone))
		w.passes(3 * time.Hour)
		w.wantWrites(0)
		w.wantTold(alert.Revoked, alert.MarkerGone)
		// A reinstate from before the revocation, kept by an attacker, is none.
		w.request(record.Reinstate{By: "jane", Reason: "SEC-813"})
		w.tick()
		w.wantWrites(1)
		w.wantText(whole)
	})
}

func TestAHoldThatEndsOverABrokenKeyIsAskedAbout(t *testing.T) {
	armed(t, func(w *world) {
		w.request(record.Hold{Until: time.Now().Add(time.Hour), By: "jane", Reason: "maintenance"})
		w.mustHandle(w.edit("jane", gone))
		w.passes(75 * time.Minute)
		w.wantWrites(0)
		w.wantTold(alert.Observed, alert.HoldEnding, alert.HoldEndedBad)
		w.passes(30 * time.Minute)
		w.wantWrites(1)
		w.wantText(whole)
	})
}

func TestPromotion(t *testing.T) {
	for name, c := range map[string]struct {
		edit string
		told alert.Code
		gen  int
	}{
		"a new principal is worth a post":     {whole + "\nallow audit decrypt", alert.Widened, 2},
		"Confluent itself is nobody new":      {whole + "\nallow kafka sign", alert.Promoted, 2},
		"a new deny of others is logged":      {whole + "\ndeny * sign", alert.Promoted, 2},
		"a permission that ends is not taken": {"until 2000-03-01T00:00:00Z kafka decrypt\nallow kafka encrypt\nallow self write", alert.NeedsAcceptance, 1},
	} {
		t.Run(name, func(t *testing.T) {
			armed(t, func(w *world) {
				w.mustHandle(w.edit("jane", c.edit))
				w.wantTold(c.told)
				if got := w.record().Snapshot.Generation; got != c.gen {
					t.Errorf("generation %d, want %d", got, c.gen)
				}
				w.wantWrites(0)
			})
		})
	}
}

func TestAcceptance(t *testing.T) {
	edit := "maybe kafka decrypt\nallow kafka encrypt\nallow self write"
	armed(t, func(w *world) {
		w.mustHandle(w.edit("jane", edit))
		w.request(record.Accept{Digest: toyDigest(toyDoc(whole)), By: "jane"})
		w.tick()
		if got := w.record().Snapshot.Generation; got != 1 {
			t.Errorf("accepted another policy than the one named: generation %d", got)
		}
		time.Sleep(time.Minute)
		w.request(record.Accept{Digest: toyDigest(toyDoc(edit)), By: "jane"})
		w.passes(2 * time.Hour)
		s := w.record()
		if s.Snapshot.Generation != 2 || s.Snapshot.Accepted != "jane" || s.Incident != nil {
			t.Errorf("record %+v", s)
		}
		w.wantTold(alert.Unclear, alert.RequestRefused, alert.Promoted)
	})
}

func TestTimeEndsAnAccessThatTheSnapshotStillGives(t *testing.T) {
	in(t, func(w *world) {
		end := time.Now().Add(40 * 24 * time.Hour)
		w.cloud.text = whole
		w.tick()
		w.mustHandle(w.edit("jane", "until "+end.Format(time.RFC3339)+" kafka decrypt\nallow kafka encrypt\nallow self write"))
		w.wantTold(alert.FirstSnapshot, alert.NeedsAcceptance)
		time.Sleep(11 * 24 * time.Hour)
		w.tick()
		if got := w.chat.last(alert.Expiring); got.Facts.Until != end.UTC().Truncate(time.Second) && !got.Facts.Until.Equal(end.Truncate(time.Second)) {
			t.Errorf("expiry told as %v, want %v", got.Facts.Until, end)
		}
		w.wantWrites(0)
		time.Sleep(30 * 24 * time.Hour)
		w.tick()
		w.wantWrites(1)
		if !strings.Contains(w.cloud.text, "allow kafka decrypt") {
			t.Errorf("policy %q", w.cloud.text)
		}
	})
}

func TestKeyStateIsRestoredOnlyWhereConfigured(t *testing.T) {
	in(t, func(w *world) {
		w.key.KeyState = core.CareRestore
		w.tick()
		w.cloud.set(whole + "\ndisabled")
		w.mustHandle(core.Change{Key: keyID, Kind: core.StateChange, Takes: true, EventID: "d", At: time.Now(), Op: "DisableKey", Actor: core.Actor{ID: "jane"}})
		w.wantText(whole)
		if who := w.chat.last(alert.Restored).Facts.Who; who == nil || who.Op != "DisableKey" {
			t.Errorf("named %+v", who)
		}
	})
}
