package main

import (
	"testing"

	"byokwatch/functions/functiontest"
)

var binary = functiontest.Builder{Name: "bootstrap", Flags: []string{"-tags", "lambda.norpc"}}

func TestMain(m *testing.M) { binary.Main(m) }
