package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// npmPackage is where a provider's schema is read from. The integrity is npm's
// own, so that nothing else than what was looked at is read.
type npmPackage struct{ provider, name, version, integrity string }

var packages = map[string]npmPackage{
	"google": {
		"hashicorp/google", "@cdktf/provider-google", "16.12.1",
		"sha512-KqNA/5RiFT07r0PSZ6/07cJ2zESUgbj1JchVj21iBFBZVUbD+578xA/k8eq/r0cbyEgLmg9eYWeVslaYah4DCQ==",
	},
	"google-beta": {
		"hashicorp/google-beta", "@cdktf/provider-google-beta", "16.12.1",
		"sha512-ip0dXu0ZrsyMgcoGNfkJCYG8PFjNtfb2wkz4Sw7IU09rQMK/A6++SwkmFHl8wJ8KlwMvd2w4tNXfErIbWWWqag==",
	},
	"azurerm": {
		"hashicorp/azurerm", "@cdktn/provider-azurerm", "16.1.0",
		"sha512-ArrHLoh/ebmY2yymKIxh2wL4HWqgvrK4EOVDfbOnNW8/qKA6/+EjIMBTacfA9C2tUq5zgBoNzImIZyqOiT/JYg==",
	},
	"aws": {
		"hashicorp/aws", "@cdktn/provider-aws", "25.7.0",
		"sha512-E/nhu0yVZE4mXMgIPuI8tEFt1BExLkA7ARjihdG+/HmfDfzLr+OEF3dkFRvI6glRt30lrrBWQLwXqCJBxcmyUg==",
	},
}

// license is that of all these packages; another one must be looked at first.
const license = "MPL-2.0"

// tarball returns the packed package out of dir, where npm puts it if it is not
// there yet.
func (p npmPackage) tarball(dir string) ([]byte, error) {
	name := filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(p.name, "@"), "/", "-")+"-"+p.version+".tgz")
	data, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		cmd := exec.Command("npm", "pack", p.name+"@"+p.version, "--pack-destination", dir, "--silent")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm pack %s@%s: %w\n%s", p.name, p.version, err, out)
		}
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(data)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != p.integrity {
		return nil, fmt.Errorf("%s is not the package that was looked at: its integrity is %s instead of %s; remove it", name, got, p.integrity)
	}
	return data, nil
}

var (
	licenseLine = regexp.MustCompile(`(?m)^  "license": "([^"]+)"`)
	typeMark    = regexp.MustCompile(`tfResourceType = "([\w-]+)"`)
	classMark   = regexp.MustCompile(`(?m)^class \w+ extends cdkt[fn]\.Terraform(Resource|DataSource|Provider) \{`)
)

// key is a type as a module names it: "resource google_pubsub_topic".
type key struct{ kind, typeName string }

func (k key) String() string { return k.kind + " " + k.typeName }

var kinds = map[string]string{"Resource": "resource", "DataSource": "data", "Provider": "provider"}

// read returns the sources of the wanted types out of a packed package.
func read(tarball []byte, wanted map[key]bool) (map[key]*source, error) {
	gz, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		return nil, err
	}
	out := map[key]*source{}
	for archive := tar.NewReader(gz); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Name == "package/package.json" {
			data, err := io.ReadAll(archive)
			if err != nil {
				return nil, err
			}
			if m := licenseLine.FindSubmatch(data); m == nil || string(m[1]) != license {
				return nil, fmt.Errorf("the package's license is not %s: look at it first", license)
			}
		}
		if path.Base(h.Name) != "index.js" {
			continue
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		t, c := typeMark.FindSubmatch(data), classMark.FindSubmatch(data)
		if t == nil || c == nil {
			continue
		}
		k := key{kinds[string(c[1])], string(t[1])}
		if !wanted[k] {
			continue
		}
		if out[k], err = decodeSource(data); err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}
