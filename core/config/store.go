package config

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"byokwatch/core"
	"byokwatch/core/pattern"
)

// Location is a store URL taken apart.
type Location struct {
	Scheme  string // s3, gs, azblob or file
	Account string // azblob: the storage account
	Bucket  string // bucket or container; empty for file
	Prefix  string // without slashes at its ends; may be empty
	Dir     string // file: an absolute path
}

// Grammars of the stores' names, each from its cloud's documentation.
var (
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	s3Bucket = pattern.New(`^[a-z0-9](?:[a-z0-9-]|\.[a-z0-9]){1,61}[a-z0-9]$`)
	// https://cloud.google.com/storage/docs/buckets#naming
	gcsBucket = pattern.New(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`)
	// https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftstorage
	blobAccount   = pattern.New(`^[a-z0-9]{3,24}$`)
	blobContainer = pattern.New(`^(?:[a-z0-9]|-[a-z0-9]){3,63}$`)
	// The Objects contract leaves a prefix little room: 100 characters.
	storePrefix = pattern.New(`^[A-Za-z0-9._-]{1,100}(?:/[A-Za-z0-9._-]{1,100})*$`)
)

// ParseStore reads s3://bucket/prefix, gs://bucket/prefix,
// azblob://account/container/prefix or file:///dir.
func ParseStore(s string) (Location, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return Location{}, fmt.Errorf("%s is not a store: s3://bucket/prefix, gs://bucket/prefix, azblob://account/container/prefix or file:///dir", quote(s))
	}
	if scheme == "file" {
		return parseDir(s, rest)
	}
	parts := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	l := Location{Scheme: scheme}
	grammar, known := map[string]pattern.Regexp{"s3": s3Bucket, "gs": gcsBucket, "azblob": blobContainer}[scheme]
	if !known {
		return Location{}, fmt.Errorf("%s has the scheme %s; stores are s3, gs, azblob and file", quote(s), quote(scheme))
	}
	if scheme == "azblob" {
		if !blobAccount.MatchString(parts[0]) || len(parts) < 2 {
			return Location{}, fmt.Errorf("%s is not azblob://ACCOUNT/CONTAINER/PREFIX", quote(s))
		}
		l.Account, parts = parts[0], parts[1:]
	}
	l.Bucket, l.Prefix = parts[0], strings.Join(parts[1:], "/")
	if !grammar.MatchString(l.Bucket) {
		return Location{}, fmt.Errorf("%s names %s, which is not the name of a bucket or container", quote(s), quote(l.Bucket))
	}
	if l.Prefix != "" && (!storePrefix.MatchString(l.Prefix) || len(l.Prefix) > 100 || path.Clean(l.Prefix) != l.Prefix || strings.HasPrefix(l.Prefix, "..")) {
		return Location{}, fmt.Errorf("%s has a prefix that is not of letters, digits, dots, underscores, hyphens and single slashes, at most 100 characters", quote(s))
	}
	return l, nil
}

func parseDir(s, rest string) (Location, error) {
	dir, err := url.PathUnescape(rest)
	if err != nil || !strings.HasPrefix(dir, "/") || strings.ContainsAny(dir, "?#\x00") {
		return Location{}, fmt.Errorf("%s is not file:///DIR with an absolute path", quote(s))
	}
	return Location{Scheme: "file", Dir: path.Clean(dir)}, nil
}

// stores is the field store: one URL for all clouds or one for each.
type stores struct {
	all   string
	each  map[core.Cloud]string
	lines map[string]int
}

// schemes are those that each cloud's function can reach, beside file.
var schemes = map[core.Cloud]string{core.AWS: "s3", core.Azure: "azblob", core.GCP: "gs"}

var clouds = []core.Cloud{core.AWS, core.Azure, core.GCP}

func (d *decoder) stores(n *node, field string) stores {
	st := stores{each: map[core.Cloud]string{}}
	read := func(into *string) func(*node, string) {
		return parsed(d, into, func(s string) (string, error) {
			_, err := ParseStore(s)
			return s, err
		})
	}
	if n.kind == text {
		read(&st.all)(n, field)
		return st
	}
	fields := map[string]func(*node, string){}
	for _, cloud := range clouds {
		fields[string(cloud)] = func(n *node, field string) {
			var s string
			if read(&s)(n, field); s != "" {
				st.each[cloud] = s
			}
		}
	}
	st.lines = d.fields(n, field, fields)
	return st
}

// resolveStores gives each cloud that has keys its store.
func (d *decoder) resolveStores(f *file, c *Config) map[core.Cloud]string {
	out := map[core.Cloud]string{}
	for _, cloud := range clouds {
		line, field, s := f.storeLine, "store", f.store.all
		if f.store.lines != nil {
			field, s = "store."+string(cloud), f.store.each[cloud]
			if at := f.store.lines[string(cloud)]; at != 0 {
				line = at
			} else if len(c.KeysOf(cloud)) > 0 {
				d.fault(line, field, "is missing: there are keys of %s", cloudName(cloud))
			}
		} else if len(c.KeysOf(cloud)) == 0 {
			continue
		}
		if s == "" {
			continue // a fault already, or not needed
		}
		if l, err := ParseStore(s); err == nil && l.Scheme != "file" && l.Scheme != schemes[cloud] {
			d.fault(line, field, "%s can't hold the records of %s: its function reaches %s:// only", quote(s), cloudName(cloud), schemes[cloud])
		}
		out[cloud] = s
	}
	return out
}

// local says that every store is a directory, as on a developer's machine.
func local(store map[core.Cloud]string) bool {
	for _, s := range store {
		if l, err := ParseStore(s); err != nil || l.Scheme != "file" {
			return false
		}
	}
	return len(store) > 0
}
