package azurekv

import (
	"byokwatch/core"
)

// Judge answers one Finding for each of q.Needs, in that order.
func Judge(p core.Policy, q core.Question) core.Judgement {
	j := core.Judgement{Findings: make([]core.Finding, len(q.Needs))}
	for i, need := range q.Needs {
		j.Findings[i] = core.Finding{Requirement: need, Reason: "not judged yet"}
	}
	if _, err := read(p, q.Key); err != nil {
		return j
	}
	return j
}

// Trim is what a snapshot keeps of an Azure key.
func Trim(p core.Policy, q core.Question) core.Policy { return p }

// Recognise reads a file as one document of an Azure key, told by its shape.
func Recognise(file []byte) (core.Document, error) { return core.Document{}, nil }

// RecogniseAll is [Recognise] for files that hold more than one document.
func RecogniseAll(file []byte) ([]core.Document, error) { return nil, nil }
