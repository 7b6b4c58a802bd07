package record

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"byokwatch/core"
)

const (
	maxName = 255 // bytes, of a whole object name
	maxSlug = 64  // bytes
	// generationDigits makes names sort by generation in every listing. A name
	// with another number of digits is not one of ours.
	generationDigits = 10
)

// Name is where the objects of a key are found: <cloud>/<slug>-<hash16>. The
// slug is the last part of the key's own ID, for people; the hash, over the
// whole ID, is what tells keys apart. The label of a key never enters, so that
// relabelling moves nothing.
func Name(k core.Key) string {
	sum := sha256.Sum256([]byte(k.ID))
	return string(k.Cloud) + "/" + slug(k.ID) + "-" + hex.EncodeToString(sum[:8])
}

func slug(id string) string {
	id = id[strings.LastIndexByte(id, '/')+1:]
	var b strings.Builder
	for i := 0; i < len(id) && b.Len() < maxSlug; i++ {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteByte(c)
		case c >= 'A' && c <= 'Z':
			b.WriteByte(c - 'A' + 'a')
		default:
			b.WriteByte('-')
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "key"
}

func recordName(k core.Key) string      { return "records/" + Name(k) + ".json" }
func snapshotsPrefix(k core.Key) string { return "kept/" + Name(k) + "/snapshots/" }
func incidentsPrefix(k core.Key) string { return "kept/" + Name(k) + "/incidents/" }

func requestName(k core.Key, kind string) string {
	return "requests/" + Name(k) + "/" + kind + ".json"
}

func snapshotName(k core.Key, generation int, sum string) string {
	return fmt.Sprintf("%s%0*d-%.8s.json", snapshotsPrefix(k), generationDigits, generation, sum)
}

// generationOf reads the generation out of a snapshot's name; false if the name
// is not one that snapshotName makes.
func generationOf(k core.Key, name string) (int, bool) {
	base, ok := strings.CutPrefix(name, snapshotsPrefix(k))
	if !ok || len(base) != len("0123456789-01234567.json") {
		return 0, false
	}
	digits, rest := base[:generationDigits], base[generationDigits:]
	g, err := strconv.Atoi(digits)
	if err != nil || g < 1 || rest[0] != '-' || !strings.HasSuffix(rest, ".json") {
		return 0, false
	}
	return g, true
}

// CheckName reports why a store must not take a name: names are 1 to 255 bytes
// of [a-z0-9./_-], in parts between slashes of which none is empty or begins
// with a dot. Every adapter asks it first, so that no name means one thing to a
// bucket and another to a directory.
func CheckName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("object name of %d bytes: want 1 to %d", len(name), maxName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' {
			return fmt.Errorf("object name %q: a part is empty or begins with a dot", name)
		}
	}
	return checkChars(name)
}

// CheckPrefix is CheckName for what List takes: the beginning of a name, and
// possibly empty.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if len(prefix) > maxName {
		return fmt.Errorf("prefix of %d bytes: want at most %d", len(prefix), maxName)
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if part == "" || part[0] == '.' {
			return fmt.Errorf("prefix %q: a part is empty or begins with a dot", prefix)
		}
	}
	return checkChars(prefix)
}

func checkChars(name string) error {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("./_-", rune(c)) {
			return fmt.Errorf("object name %q: byte %d is not one of a-z 0-9 . / _ -", name, i)
		}
	}
	return nil
}

// checkKey reports why a key has no place in a store.
func checkKey(k core.Key) error {
	switch k.Cloud {
	case core.AWS, core.Azure, core.GCP:
	default:
		return fmt.Errorf("key %q: unknown cloud %q", k.ID, k.Cloud)
	}
	if k.ID == "" || len(k.ID) > maxKeyID {
		return fmt.Errorf("key ID of %d bytes: want 1 to %d", len(k.ID), maxKeyID)
	}
	return nil
}
