package main

import (
	db "github.com/cometbft/cometbft-db"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// engineDBs are the options of the engine's databases. It has several, writes
// each height once and reads little of it again: with goleveldb's defaults a
// validator would spend a fifth of its memory on their buffers. Each table of level
// 0 spans nearly all keys, so that a compaction rewrites what lies below: it waits
// for twice as many of them.
var engineDBs = &opt.Options{
	WriteBuffer: 512 << 10, BlockCacheCapacity: 1 << 20,
	CompactionL0Trigger: 8, WriteL0SlowdownTrigger: 16, WriteL0PauseTrigger: 24,
}

// openEngineDB is the engine's way to open a database of its own.
func openEngineDB(ctx *cfg.DBContext) (db.DB, error) {
	return db.NewGoLevelDBWithOpts(ctx.ID, ctx.Config.DBDir(), engineDBs)
}
