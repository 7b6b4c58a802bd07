package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"byokwatch/functions/functiontest"
)

const secretARN = "arn:aws:secretsmanager:us-west-2:111122223333:secret:byokwatch/heartbeat-AbCdEf"

// receiver is somebody outside who is called.
func receiver(t *testing.T) (*httptest.Server, *functiontest.Buffer) {
	t.Helper()
	got := &functiontest.Buffer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(got, r.URL.Path+" "+string(body)+"\n")
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(server.Close)
	return server, got
}

// local makes the configuration keep its records in a directory, which is what
// lets channels be on loopback.
func local(t *testing.T, more string) string {
	t.Helper()
	dir := t.TempDir()
	return strings.Replace(yaml, "{aws: s3://acme-byokwatch/prod}", "file://"+dir, 1) + more
}

func TestHeartbeatFollowsCompleteSweepsOnly(t *testing.T) {
	t.Parallel()
	server, got := receiver(t)
	w := start(t, func(files, vars map[string]string) {
		files["byokwatch.yaml"] = local(t, "heartbeat: {url: \"${HEARTBEAT_URL}\"}\n")
		vars["HEARTBEAT_URL"] = server.URL + "/beat"
	})
	w.arm(t)
	if beats := got.String(); beats != "/beat {\"keys\":1}\n" {
		t.Fatalf("beats %q, want one with the number of keys", beats)
	}
	if out := w.invoke(t, w.put(t, payments, with)); !out.OK() {
		t.Fatalf("outcome %+v", out)
	}
	w.cloud.Delete(role) // we no longer see anything
	if out := w.invoke(t, w.cloud.Tick(region)); out.OK() {
		t.Fatal("a sweep that sees nothing succeeds")
	}
	if beats := got.String(); strings.Count(beats, "\n") != 1 {
		t.Errorf("beats %q: an event or an incomplete sweep is followed by one", beats)
	}
}

func TestSecretIsReadWhenItIsUsed(t *testing.T) {
	t.Parallel()
	server, got := receiver(t)
	w := start(t, func(files, _ map[string]string) {
		files["byokwatch.yaml"] = local(t, "heartbeat: {url: \"${secret:"+secretARN+"}\"}\n")
	})
	// The secret can't be had: the sweep is done all the same.
	w.arm(t)
	functiontest.Eventually(t, "the log says why there is no heartbeat", func() bool { return w.errorLines(t) == 1 })
	w.must(t, w.cloud.Attach(role, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"`+secretARN+`"}]}`))
	w.cloud.PutSecret(secretARN, server.URL+"/hidden-token")
	w.arm(t)
	if beats := got.String(); beats != "/hidden-token {\"keys\":1}\n" {
		t.Errorf("beats %q", beats)
	}
	server.Close()
	w.arm(t)
	functiontest.Eventually(t, "the log says that nobody answers", func() bool { return w.errorLines(t) == 2 })
	if log := w.stderr.String() + w.stdout.String(); strings.Contains(log, "hidden-token") || strings.Contains(log, server.URL) {
		t.Errorf("the secret is in the log:\n%s", log)
	}
}

// slackWorld has Slack as its only channel, whose address is a secret.
func slackWorld(t *testing.T) (*world, *functiontest.Buffer) {
	t.Helper()
	server, got := receiver(t)
	w := start(t, func(files, _ map[string]string) {
		files["byokwatch.yaml"] = strings.Replace(local(t, ""), "- stdout:", `- slack: {url: "${secret:`+secretARN+`}", min: warning, keys: ["pay*"]}`, 1)
	})
	w.cloud.PutSecret(secretARN, server.URL+"/services/hidden-token")
	w.arm(t)
	return w, got
}

func TestRestoreIsToldInSlack(t *testing.T) {
	t.Parallel()
	w, got := slackWorld(t)
	w.must(t, w.cloud.Attach(role, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"`+secretARN+`"}]}`))
	if out := w.invoke(t, w.put(t, payments, without)); !out.OK() || !w.confluentCan() {
		t.Fatalf("outcome %+v", out)
	}
	told := got.String()
	if !strings.HasPrefix(told, "/services/hidden-token {") || !strings.Contains(told, "RESTORED") || !strings.Contains(told, "terraform-ci") {
		t.Errorf("Slack got %q", told)
	}
	if log := w.stderr.String() + w.stdout.String(); strings.Contains(log, "hidden-token") {
		t.Errorf("the secret is in the log:\n%s", log)
	}
}

func TestMissingSecretDelaysTheAlertAndNotTheRestore(t *testing.T) {
	t.Parallel()
	w, got := slackWorld(t)
	if out := w.invoke(t, w.put(t, payments, without)); !out.OK() || !w.confluentCan() {
		t.Fatalf("outcome %+v", out)
	}
	functiontest.Eventually(t, "the log says that nobody was told", func() bool { return strings.Contains(w.stderr.String(), "alert not sent") })
	if told := got.String(); told != "" {
		t.Errorf("Slack got %q", told)
	}
}

func TestRecordsInADirectory(t *testing.T) {
	t.Parallel()
	var dir string
	w := start(t, func(files, _ map[string]string) {
		text := local(t, "")
		files["byokwatch.yaml"] = text
		_, rest, _ := strings.Cut(text, "file://")
		dir, _, _ = strings.Cut(rest, "\n")
	})
	w.arm(t)
	if out := w.invoke(t, w.put(t, payments, without)); !out.OK() || !w.confluentCan() {
		t.Errorf("outcome %+v", out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Errorf("nothing in %s: %v", dir, err)
	}
	for _, a := range w.cloud.Actions() {
		if strings.HasPrefix(a.Name, "s3:") {
			t.Errorf("used %s", a.Name)
		}
	}
}
