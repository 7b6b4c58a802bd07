// Package stored reads policies back that core wrote: the documents of a
// snapshot, as `byokwatch snapshot show` prints them.
package stored

import (
	"errors"
	"fmt"
	"slices"

	"byokwatch/core"
	"byokwatch/core/strict"
)

// Documents reads a list of documents of the kinds that a key of one cloud, such
// as "an AWS key", has. A document that could not be read when it was written
// stays one that says so; check parses all others.
func Documents(data []byte, key string, kinds []core.Kind, check func(core.Document) error) ([]core.Document, error) {
	var docs []core.Document
	if err := strict.Unmarshal(data, &docs); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	for i, d := range docs {
		if !slices.Contains(kinds, d.Kind) {
			return nil, fmt.Errorf("snapshot: document %d is %q, which is not one of %s", i, d.Kind, key)
		}
		if d.Unreadable != "" {
			continue
		}
		if err := check(d); err != nil {
			return nil, fmt.Errorf("snapshot: document %d: %w", i, err)
		}
	}
	if len(docs) == 0 {
		return nil, errors.New("snapshot: it holds no document")
	}
	return docs, nil
}
