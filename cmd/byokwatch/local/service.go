package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// service is a function that listens, as on Cloud Run.
type service struct {
	url   string
	cmd   *exec.Cmd
	ended chan struct{} // closed once the process has ended
}

// Bounds of a service on this machine.
const (
	attempts   = 3 // to start it: its port is free only until somebody takes it
	polls      = 10 * time.Millisecond
	deliveries = 3 // of an event; Pub/Sub goes on for longer
	backoff    = 200 * time.Millisecond
	farewell   = 5 * time.Second
)

var errEnded = errors.New("it ended")

// serve starts a function and waits until it listens.
func serve(ctx context.Context, binary, dir string, stdout, stderr io.Writer, env ...string) (*service, error) {
	var err error
	for range attempts {
		var s *service
		if s, err = serveOnce(ctx, binary, dir, stdout, stderr, env); err == nil {
			return s, nil
		}
		if !errors.Is(err, errEnded) {
			break
		}
	}
	return nil, fmt.Errorf("%s did not start: %w", binary, err)
}

func serveOnce(ctx context.Context, binary, dir string, stdout, stderr io.Writer, env []string) (*service, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	// Nothing of this environment but what a program needs: credentials of
	// whoever plays are no business of the function.
	cmd := exec.Command(binary)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, stdout, stderr
	cmd.Env = append([]string{"PORT=" + port, "PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &service{url: "http://127.0.0.1:" + port + "/", cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // whether it should have ended, its callers know
		close(s.ended)
	}()
	for {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			return s, conn.Close()
		}
		select {
		case <-s.ended:
			return nil, errEnded
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), s.stop())
		case <-time.After(polls):
		}
	}
}

// freePort picks a port that nobody listens on, below those that systems hand
// out by themselves: one of those, free now, may be anybody's a moment later.
// https://www.iana.org/assignments/service-names-port-numbers
func freePort() (string, error) {
	const lowest, highest = 15_000, 32_000
	var err error
	for range 20 {
		port := strconv.Itoa(lowest + rand.IntN(highest-lowest))
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			return port, l.Close()
		}
	}
	return "", err
}

// push delivers one event until the function takes it.
func (s *service) push(ctx context.Context, request func(url string) *http.Request) error {
	var err error
	for i := range deliveries {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(backoff):
			}
		}
		if err = s.pushOnce(request(s.url).WithContext(ctx)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("the function failed %d times: %w", deliveries, err)
}

func (s *service) pushOnce(r *http.Request) error {
	answer, err := new(http.Client).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(said)))
	}
	return nil
}

// stop ends the process, which has nothing to lose.
func (s *service) stop() error {
	select {
	case <-s.ended:
		return errors.New("the function ended by itself")
	default:
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return s.cmd.Process.Kill()
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(farewell):
		return s.cmd.Process.Kill()
	}
}
