package storetest_test

import (
	"testing"
	"time"

	"byokwatch/core/record"
	"byokwatch/core/record/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) record.Objects { return storetest.NewMemory(time.Now) })
}
