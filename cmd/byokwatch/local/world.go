package local

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"byokwatch/core"
	"byokwatch/core/alert"
	"byokwatch/core/record"
	"byokwatch/core/record/dirstore"
	"byokwatch/functions/azure/azuretest"
)

// scenario is one way in which somebody takes a key from Confluent.
type scenario struct {
	cloud core.Cloud // set by Play
	name  string
	does  string // what the pipeline does, for the timeline
	// with names the scenario beside which this one is played as well.
	with string
	// from is the key's policy before; "" is what Confluent asks for. On Azure
	// policies says that the vault has access policies, and roles are those that
	// Confluent is assigned.
	from     string
	policies bool
	roles    []azuretest.Role
	act      func(ctx context.Context, w *world) error
	// mends is what the pipeline does next, by which Confluent has the key again
	// without the function.
	mends func(ctx context.Context, w *world) error
	// back says that Confluent is to have the key again in the end; without it
	// the function must have left the key alone.
	back    bool
	written int  // how often the function then writes; 0 is once
	observe bool // mode observe
	// enables says that the configuration has key_state: restore, and network.
	enables bool
	// waits says that the function gives back only after a while, by the
	// schedule: the loss may be the first half of a replacement.
	waits bool
	// missed is an event that never came: only the schedule looks.
	missed bool
	// twice is an event that is delivered again when all is done.
	twice bool
	tells alert.Code
	// keeps is what else the pipeline wrote, and what must still be in the
	// policy when Confluent is back.
	keeps string
}

// stage is what of a world is one cloud: its emulator, its function, and who
// acts there.
type stage interface {
	// objects opens the store that the function will use as well.
	objects(kind string) (place string, o record.Objects, err error)
	// configuration is what an operator would write, for one key.
	configuration(mode core.Mode, state core.Care, place string) []byte
	// start runs the function, as its platform does, with the emulator at addr.
	start(ctx context.Context, binary, addr string) error
	tick(ctx context.Context) error
	events() []event
	// writes are the times of the function's own.
	writes() []time.Time
	policy() string
	read(ctx context.Context) (core.Policy, error)
	judge(live core.Policy, at time.Time) core.Judgement
	// can is the emulator's own evaluation of what Confluent may. A stage may also
	// have works, for what no permission tells.
	can(permission string) (bool, string)
	close() error
}

// event is one that the emulator made, to be handed to the function.
type event struct {
	name string
	send func(ctx context.Context) error
}

// words are those of a cloud's timeline.
type words struct {
	emulated    string // services
	service     string // that holds the key
	way         string // of an event
	runs        string // what the function does once it is there
	reads       int    // that confirm a write
	permissions int    // of Confluent
}

// world is one scenario at play.
type world struct {
	stage stage
	words words
	aws   *awsStage // the stage, where it is that one
	azure *azureStage
	gcp   *gcpStage
	key   core.Key

	dir    string // holds the configuration, and the store where that is a directory
	store  *record.Store
	server *http.Server
	line   *timeline
	alerts *locked // what it prints
	log    *locked // the function's stderr
	told   int     // events already handed to the function
	shown  int     // bytes of alerts already on the timeline
}

// locked is a buffer that the function's process writes to.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// build makes a world: the key with a policy that Confluent can use, the
// identities, and the function, started as its platform starts it.
func build(ctx context.Context, o Options, s scenario, dir string, line *timeline) (*world, error) {
	w := &world{dir: dir, line: line, log: &locked{}, alerts: &locked{}}
	var handler http.Handler
	var err error
	switch s.cloud {
	case core.Azure:
		handler, err = w.buildAzure(s)
	case core.GCP:
		handler, err = w.buildGCP(s)
	default:
		handler, err = w.buildAWS(s)
	}
	if err != nil {
		return nil, err
	}
	place, objects, err := w.stage.objects(o.Store)
	if err != nil {
		return nil, err
	}
	w.store = record.NewStore(objects, nil)
	mode := core.Enforce
	if s.observe {
		mode = core.Observe
	}
	state := core.CareAlert
	if s.enables {
		state = core.CareRestore
	}
	if err := os.WriteFile(filepath.Join(dir, "byokwatch.yaml"), w.stage.configuration(mode, state, place), 0o600); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the emulators: %w", err)
	}
	w.server = &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = w.server.Serve(listener) }() // ends with close
	addr := "http://" + listener.Addr().String()
	line.add(time.Time{}, "emulator", "%s answer on %s; nothing leaves this machine", w.words.emulated, addr)
	if err := w.stage.start(ctx, o.Functions[s.cloud], addr); err != nil {
		return w, err
	}
	line.add(time.Time{}, "function", "%s runs, and %s", o.Functions[s.cloud], w.words.runs)
	return w, nil
}

// directory is a store in the world's own folder.
func (w *world) directory() (place string, o record.Objects, err error) {
	dir := filepath.Join(w.dir, "store")
	o, err = dirstore.New(dir)
	return "file://" + filepath.ToSlash(dir), o, err
}

// close ends the function and the emulators.
func (w *world) close() error {
	err := w.stage.close()
	if w.server != nil {
		err = errors.Join(err, w.server.Close())
	}
	return err
}

// maxEchoes bounds how often a write of the function may lead to another.
const maxEchoes = 5

// deliver hands over every event that is not yet told of, those of the
// function's own writes included.
func (w *world) deliver(ctx context.Context) error {
	for range maxEchoes {
		events := w.stage.events()[w.told:]
		if len(events) == 0 {
			return nil
		}
		for _, e := range events {
			w.told++
			if err := e.send(ctx); err != nil {
				return fmt.Errorf("event %s: %w", e.name, err)
			}
		}
	}
	return errors.New("the function's writes never come to an end")
}

// confluentCan says whether Confluent can use the key, by two who know nothing
// of each other: the emulator, which decides as the cloud does, and the judge,
// over what the real SDK reads.
func (w *world) confluentCan(ctx context.Context) (bool, string, error) {
	live, err := w.stage.read(ctx)
	if err != nil {
		return false, "", err
	}
	judged, denied := true, "" // and what is refused first
	served := true
	for _, f := range w.stage.judge(live, w.line.now()).Findings {
		if f.Severity != core.Critical || f.Aspect == core.Own {
			continue
		}
		why := f.Reason
		if f.Result != core.Met {
			judged = false
		}
		if f.Aspect == core.Access {
			var ok bool
			ok, why = w.stage.can(f.Permission)
			served = served && ok
		}
		if denied == "" && !(judged && served) {
			denied = f.Permission + ": " + why
		}
	}
	if whole, ok := w.stage.(interface{ works() error }); ok {
		if err := whole.works(); err != nil {
			served, denied = false, cmp.Or(denied, err.Error())
		}
	}
	if judged != served {
		return false, "", fmt.Errorf("the emulator and the judge disagree (%s):\n%s", denied, w.stage.policy())
	}
	return served, denied, nil
}
