package watchdog_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/watchdog"
)

// bare is the event of an operation that shows no policy, as Azure's do.
func (w *world) bare(who, op, resource string) core.Change {
	w.runs++
	return core.Change{
		Key: keyID, Kind: core.PolicyChange, EventID: fmt.Sprintf("event-%d", w.runs), At: w.now(), Op: op, Resource: resource,
		Takes: op == "Delete", Actor: core.Actor{ID: who, Name: who},
	}
}

// explainsDelete accounts for a line that good has and live has not.
func explainsDelete(c core.Change, live, good core.Policy, _ []core.Requirement) bool {
	return c.Op == "Delete" && slices.Contains(lines(good), c.Resource) && !slices.Contains(lines(live), c.Resource)
}

func TestAnOperationOnAResourceNamesWhoDidIt(t *testing.T) {
	const lost = "allow kafka encrypt"
	rest := strings.Replace(whole, lost+"\n", "", 1)
	for name, c := range map[string]struct {
		events func(w *world) []core.Change
		late   bool // the restore comes first
		want   string
	}{
		"the one who deleted what is missing": {func(w *world) []core.Change {
			return []core.Change{w.bare("terraform", "Delete", lost)}
		}, false, "terraform"},
		"the one who is told of after somebody else": {func(w *world) []core.Change {
			return []core.Change{w.bare("jane", "Write", "allow audit read"), w.bare("terraform", "Delete", lost)}
		}, false, "terraform"},
		"not somebody who deleted something else": {func(w *world) []core.Change {
			return []core.Change{w.bare("jane", "Delete", "allow audit read")}
		}, false, ""},
		"not whoever came later with something else": {func(w *world) []core.Change {
			return []core.Change{w.bare("terraform", "Delete", lost), w.bare("jane", "Delete", "allow audit read")}
		}, false, "terraform"},
		"nobody where the same resource was touched again": {func(w *world) []core.Change {
			first := w.bare("terraform", "Delete", lost)
			time.Sleep(time.Second)
			return []core.Change{w.bare("jane", "Write", lost), first}
		}, false, ""},
		"the one whose edit is told once more without a name": {func(w *world) []core.Change {
			first := w.bare("terraform", "Delete", lost)
			time.Sleep(time.Second)
			return []core.Change{first, w.bare("", "Changed", lost)}
		}, false, "terraform"},
		"the one who is known only after the restore": {func(w *world) []core.Change {
			return []core.Change{w.bare("terraform", "Delete", lost)}
		}, true, "terraform"},
	} {
		t.Run(name, func(t *testing.T) {
			armed(t, func(w *world) {
				w.rules.Explains = explainsDelete
				w.cloud.set(rest)
				events := c.events(w)
				if c.late {
					w.tick()
				}
				for _, e := range events {
					w.mustHandle(e)
				}
				w.tick()
				w.wantText(whole)
				who := ""
				if in := w.record().Incident; in == nil {
					t.Fatal("no incident")
				} else if in.Who != nil {
					who = in.Who.Actor.ID
					if slices.ContainsFunc(in.Others, func(o core.Change) bool { return o.EventID == in.Who.EventID }) {
						t.Errorf("%s is named twice", who)
					}
				}
				if who != c.want {
					t.Errorf("who: %q, want %q", who, c.want)
				}
			})
		})
	}
}

// Two keys in one vault: what is written for one is told to both.
func TestAWriteForANeighbourIsNoMisuse(t *testing.T) {
	for name, c := range map[string]struct {
		vault  string
		others bool // that the neighbour's record knows the write
		on     string
		misuse bool
	}{
		"the neighbour's record has it":    {"/vaults/acme", true, "/vaults/acme", false},
		"it was on the key itself":         {"/vaults/acme", true, keyID + "/assignments/1", true},
		"no record of the vault has it":    {"/vaults/acme", false, "/vaults/acme", true},
		"the record of another vault's is": {"/vaults/other", true, "/vaults/acme", true},
	} {
		t.Run(name, func(t *testing.T) {
			armed(t, func(w *world) {
				w.key.Vault = "/vaults/acme"
				other := w.key
				other.ID, other.Label, other.Vault = strings.Replace(keyID, "1234abcd", "9999abcd", 1), "orders", c.vault
				store := record.NewStore(w.memory, nil)
				if c.others {
					rec := record.Record{Revision: "1", Writes: []record.Write{{At: w.now(), Until: w.now().Add(time.Minute), Incident: "inc-1", Ops: []string{"Write"}}}}
					if _, err := store.Save(w.Context(), other, rec, ""); err != nil {
						t.Fatal(err)
					}
				}
				dog, err := watchdog.New(watchdog.Config{
					Cloud: w.cloud, Rules: w.rules, Store: store, Notifiers: []watchdog.Notifier{w.chat},
					Keys: []core.Key{w.key, other}, Self: self, Now: w.now, Log: slog.New(slog.DiscardHandler), Reads: 1,
				})
				if err != nil {
					t.Fatal(err)
				}
				look := func(change core.Change) {
					ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
					defer cancel()
					if err := dog.Handle(ctx, change.EventID, change); err != nil {
						t.Fatal(err)
					}
				}
				look(w.bare(self, "Write", c.on))
				time.Sleep(20 * time.Minute)
				look(core.Change{Key: keyID, Kind: core.Tick, EventID: "later", At: w.now()})
				if got := slices.Contains(w.chat.codes(), alert.RoleMisused); got != c.misuse {
					t.Errorf("told %q", w.chat.codes())
				}
			})
		})
	}
}

func TestAKeysOwnEndIsToldAndKeepsNothingBack(t *testing.T) {
	in(t, func(w *world) {
		end := w.now().Add(10 * 24 * time.Hour)
		w.rules.Judge = func(p core.Policy, q core.Question) core.Judgement {
			j := toyJudge(p, q)
			j.Ends = end
			return j
		}
		w.tick()
		w.wantTold(alert.KeyExpiring, alert.FirstSnapshot)
		if until := w.chat.last(alert.KeyExpiring).Facts.Until; !until.Equal(end) {
			t.Errorf("until %s", until)
		}
		w.tick()
		w.wantTold(alert.KeyExpiring, alert.FirstSnapshot) // once a day
		end = w.now().Add(365 * 24 * time.Hour)
		time.Sleep(25 * time.Hour)
		w.tick()
		w.wantTold(alert.KeyExpiring, alert.FirstSnapshot) // rotated
	})
}

func TestANetworkThatIsNoLongerRestoredIsToldOf(t *testing.T) {
	in(t, func(w *world) {
		w.key.Network = core.CareRestore
		w.tick()
		w.key.Network = core.CareAlert
		w.tick()
		w.wantTold(alert.FirstSnapshot, alert.ProtectsLess)
	})
}

// Tools replace an assignment by deleting it and making it anew.
func TestALossThatMayBeHalfOfAReplacementIsGivenAMinute(t *testing.T) {
	armed(t, func(w *world) {
		w.rules.Candidates = func(live, good core.Policy, q core.Question, lost []core.Requirement) ([]core.Candidate, error) {
			out, err := toyCandidates(live, good, q, lost)
			for i := range out {
				out[i].After = time.Minute
			}
			return out, err
		}
		w.mustHandle(w.edit("terraform", gone))
		time.Sleep(20 * time.Second)
		w.mustHandle(w.edit("terraform", whole)) // the other half
		w.tick()
		w.wantWrites(0)
		w.wantTold()

		time.Sleep(10 * time.Minute) // still watched, and gone again
		w.rules.Explains = explainsDelete
		w.cloud.set(gone)
		w.mustHandle(w.bare("jane", "Write", "allow audit read"))
		w.mustHandle(w.bare("mallory", "Delete", "allow kafka encrypt"))
		if in := w.record().Incident; len(in.Others) != 3 || in.Others[1].Actor.ID != "jane" || in.Others[2].Actor.ID != "mallory" {
			t.Errorf("who %+v, others %+v", in.Who, in.Others)
		}
		time.Sleep(40 * time.Second)
		w.tick()
		w.wantWrites(0)
		time.Sleep(20 * time.Second)
		w.tick()
		w.wantWrites(1)
		w.wantText(whole)
		w.wantTold(alert.Restored)
	})
}

// What is given back at a vault is given back to every key that Confluent reaches
// by the same principal.
func TestARevokedNeighbourOfTheSamePrincipalStaysCutOff(t *testing.T) {
	for name, c := range map[string]struct {
		principal string
		recorded  bool // else the vault's mark alone tells
		writes    int
	}{
		"of the same principal":               {"confluent", true, 0},
		"of another one":                      {"other", true, 1},
		"that only the vault's mark tells of": {"confluent", false, 0},
		"that is another one's, and marked":   {"other", false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			armed(t, func(w *world) {
				w.key.Vault, w.key.Needs.Principal = "/vaults/acme", "confluent"
				other := w.key
				other.ID, other.Label, other.Needs.Principal = strings.Replace(keyID, "1234abcd", "9999abcd", 1), "orders", c.principal
				store := record.NewStore(w.memory, nil)
				rec := record.Record{Revision: "1"}
				if c.recorded {
					rec.Revocation = &record.Revocation{Since: w.now(), Marker: "SEC-812"}
				}
				w.rules.Judge = func(p core.Policy, q core.Question) core.Judgement {
					j := toyJudge(p, q)
					j.Revoked = j.Revoked || q.Key.ID == other.ID
					return j
				}
				if _, err := store.Save(w.Context(), other, rec, ""); err != nil {
					t.Fatal(err)
				}
				dog, err := watchdog.New(watchdog.Config{
					Cloud: w.cloud, Rules: w.rules, Store: store, Notifiers: []watchdog.Notifier{w.chat},
					Keys: []core.Key{w.key, other}, Self: self, Now: w.now, Log: slog.New(slog.DiscardHandler), Reads: 1,
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
				defer cancel()
				if err := dog.Handle(ctx, "look", w.edit("terraform", gone)); err != nil {
					t.Fatal(err)
				}
				w.wantWrites(c.writes)
				if barred := c.writes == 0; barred != slices.Contains(w.chat.codes(), alert.CannotRestore) {
					t.Errorf("told %q", w.chat.codes())
				}
				if a := w.chat.last(alert.CannotRestore); c.writes == 0 && (!strings.Contains(a.Facts.Detail, "orders") || len(a.Facts.Commands) > 0) {
					t.Errorf("detail %q, commands %q", a.Facts.Detail, a.Facts.Commands)
				}
			})
		})
	}
}

// Whose writes they were is worth an alert, not an outage.
func TestANeighboursRecordThatCannotBeReadKeepsNothingBack(t *testing.T) {
	armed(t, func(w *world) {
		w.key.Vault, w.key.Needs.Principal = "/vaults/acme", "confluent"
		other := w.key
		other.ID, other.Label, other.Needs.Principal = strings.Replace(keyID, "1234abcd", "9999abcd", 1), "orders", "other"
		down := true
		w.memory.Hook = func(op, name string, done bool) error {
			if down && op == "Get" && name == "records/"+record.Name(other)+".json" {
				return errDown
			}
			return nil
		}
		dog, err := watchdog.New(watchdog.Config{
			Cloud: w.cloud, Rules: w.rules, Store: record.NewStore(w.memory, nil), Notifiers: []watchdog.Notifier{w.chat},
			Keys: []core.Key{w.key, other}, Self: self, Now: w.now, Log: slog.New(slog.DiscardHandler), Reads: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		look := func(change core.Change) {
			t.Helper()
			ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
			defer cancel()
			if err := dog.Handle(ctx, change.EventID, change); err != nil {
				t.Fatal(err)
			}
		}
		w.cloud.set(gone)
		look(w.bare(self, "Write", "/vaults/acme"))
		w.wantWrites(1)
		time.Sleep(20 * time.Minute)
		look(core.Change{Key: keyID, Kind: core.Tick, EventID: "later", At: w.now()})
		if slices.Contains(w.chat.codes(), alert.RoleMisused) {
			t.Error("it was judged without knowing")
		}
		down = false
		look(core.Change{Key: keyID, Kind: core.Tick, EventID: "at last", At: w.now()})
		if !slices.Contains(w.chat.codes(), alert.RoleMisused) {
			t.Errorf("told %q", w.chat.codes())
		}
	})
}
