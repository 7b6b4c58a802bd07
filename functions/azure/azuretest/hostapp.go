package azuretest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// app is what the folder of a function app says: its host.json, and a folder
// with a function.json for each function
// (https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#configuration).
type app struct {
	handler   string // path of the executable
	arguments []string
	dir       string // in which it runs
	timeout   time.Duration
	functions map[string]functionOf
}

// functionOf is one function and its trigger.
type functionOf struct {
	name, trigger string // eventGridTrigger, timerTrigger
	binding       string
	retries       int
	pause         time.Duration
}

// longest is functionTimeout where host.json names none, on every plan but the
// old Consumption one
// (https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout).
const longest = 30 * time.Minute

var (
	functionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,127}$`)
	bindingName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
	span         = regexp.MustCompile(`^(\d{2}):(\d{2}):(\d{2})$`)
	cron         = regexp.MustCompile(`^\S+(?: \S+){5}$`)
)

// readJSON reads a file of the app. The host itself reads past comments; ours
// have none.
func readJSON(name string, v any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// readApp reads the folder of an app. A given binary stands in for the
// executable of host.json; with embedded there is none at all.
func readApp(dir, binary string, embedded bool) (app, error) {
	var host struct {
		Version         string
		FunctionTimeout string
		CustomHandler   *struct {
			Description struct {
				DefaultExecutablePath, DefaultWorkerPath, WorkingDirectory string
				Arguments                                                  []string
			}
			EnableForwardingHTTPRequest bool `json:"enableForwardingHttpRequest"`
		}
		ExtensionBundle *struct{ ID, Version string }
	}
	if err := readJSON(filepath.Join(dir, "host.json"), &host); err != nil {
		return app{}, err
	}
	switch {
	case host.Version != "2.0":
		return app{}, fmt.Errorf("host.json: version is %q, not 2.0", host.Version)
	case host.CustomHandler == nil || host.CustomHandler.Description.DefaultExecutablePath == "":
		return app{}, errors.New("host.json: customHandler.description.defaultExecutablePath is missing")
	case host.ExtensionBundle == nil || host.ExtensionBundle.ID != "Microsoft.Azure.Functions.ExtensionBundle":
		return app{}, errors.New("host.json: extensionBundle is missing, without which nothing triggers")
	}
	d := host.CustomHandler.Description
	a := app{arguments: d.Arguments, dir: filepath.Join(dir, d.WorkingDirectory), timeout: longest, functions: map[string]functionOf{}}
	if host.FunctionTimeout != "" {
		t, err := duration(host.FunctionTimeout)
		if err != nil {
			return app{}, fmt.Errorf("host.json: functionTimeout: %w", err)
		}
		a.timeout = t
	}
	if !embedded {
		var err error
		if a.handler, err = executable(filepath.Join(a.dir, d.DefaultExecutablePath), binary); err != nil {
			return app{}, err
		}
	}
	return a, a.readFunctions(dir)
}

// duration reads hh:mm:ss.
func duration(text string) (time.Duration, error) {
	m := span.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is not of the form hh:mm:ss", text)
	}
	return time.ParseDuration(m[1] + "h" + m[2] + "m" + m[3] + "s")
}

// executable checks that the handler can be started.
func executable(path, binary string) (string, error) {
	if binary != "" {
		path = binary
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("the custom handler: %w", err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("the custom handler: %s is not executable", path)
	}
	return path, nil
}

// readFunctions reads the folders that have a function.json.
func (a *app) readFunctions(dir string) error {
	list, err := filepath.Glob(filepath.Join(dir, "*", "function.json"))
	if err != nil {
		return err
	}
	for _, name := range list {
		f, err := readFunction(name)
		if err != nil {
			return err
		}
		a.functions[f.name] = f
	}
	if len(a.functions) == 0 {
		return fmt.Errorf("no folder of %s has a function.json", dir)
	}
	return nil
}

// binding is one element of function.json's bindings.
type binding struct{ Type, Name, Direction, Schedule string }

func readFunction(name string) (functionOf, error) {
	var in struct {
		Bindings []binding
		Disabled bool
		Retry    *struct {
			Strategy, DelayInterval string
			MaxRetryCount           int
		}
	}
	if err := readJSON(name, &in); err != nil {
		return functionOf{}, err
	}
	f := functionOf{name: filepath.Base(filepath.Dir(name))}
	wrong := func(format string, args ...any) (functionOf, error) {
		return functionOf{}, fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...))
	}
	if !functionName.MatchString(f.name) {
		return wrong("%q is no name of a function", f.name)
	}
	for _, b := range in.Bindings {
		switch {
		case !strings.HasSuffix(b.Type, "Trigger"):
			return wrong("this host knows no binding of type %q", b.Type)
		case f.trigger != "":
			return wrong("there is more than one trigger")
		case !strings.EqualFold(b.Direction, "in") || !bindingName.MatchString(b.Name):
			return wrong("the trigger's name %q or direction %q is wrong", b.Name, b.Direction)
		case b.Type == "timerTrigger" && !cron.MatchString(b.Schedule):
			return wrong("the schedule %q has not six fields", b.Schedule)
		}
		f.trigger, f.binding = b.Type, b.Name
	}
	if f.trigger == "" {
		return wrong("there is no trigger")
	}
	if r := in.Retry; r != nil && r.Strategy == "fixedDelay" {
		pause, err := duration(r.DelayInterval)
		if err != nil {
			return wrong("retry.delayInterval: %v", err)
		}
		f.retries, f.pause = r.MaxRetryCount, pause
	}
	return f, nil
}

// only is the function with a trigger, of which there must be exactly one.
func (a *app) only(trigger string) (functionOf, error) {
	var found []functionOf
	for _, name := range slices.Sorted(maps.Keys(a.functions)) {
		if f := a.functions[name]; f.trigger == trigger {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		return functionOf{}, fmt.Errorf("%d functions have a %s, not one", len(found), trigger)
	}
	return found[0], nil
}
