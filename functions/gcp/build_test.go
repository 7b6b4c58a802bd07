package main

import (
	"testing"

	"byokwatch/functions/functiontest"
)

var binary = functiontest.Builder{Name: "byokwatch-gcp"}

func TestMain(m *testing.M) { binary.Main(m) }
