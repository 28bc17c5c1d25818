package spool

import (
	"encoding/binary"
	"hash/crc32"

	"google.golang.org/protobuf/proto"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
)

const (
	kindReading = 'R' // to be sent
	kindLast    = 'L' // latest of its meter when the segment began

	frameHeader = 4 + 4 + 1 + 8
	// maxPayload is far above what a reading takes.
	maxPayload = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame is one that is whole.
type frame struct {
	kind    byte
	index   uint64
	reading *meteringv1.Reading
}

func appendFrame(out []byte, kind byte, index uint64, payload []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(payload)))
	sum := len(out)
	out = append(out, 0, 0, 0, 0, kind)
	out = binary.BigEndian.AppendUint64(out, index)
	out = append(out, payload...)
	binary.BigEndian.PutUint32(out[sum:], crc32.Checksum(out[sum+4:], castagnoli))
	return out
}

// frameAt returns the frame that begins at the start of data and its size, or
// 0 if none does.
func frameAt(data []byte) (frame, int) {
	if len(data) < frameHeader {
		return frame{}, 0
	}
	length := binary.BigEndian.Uint32(data)
	if length > maxPayload || len(data) < frameHeader+int(length) {
		return frame{}, 0
	}
	size := frameHeader + int(length)
	if binary.BigEndian.Uint32(data[4:]) != crc32.Checksum(data[8:size], castagnoli) {
		return frame{}, 0
	}
	found := frame{kind: data[8], index: binary.BigEndian.Uint64(data[9:]), reading: new(meteringv1.Reading)}
	if found.kind != kindReading && found.kind != kindLast {
		return frame{}, 0
	}
	if proto.Unmarshal(data[frameHeader:size], found.reading) != nil {
		return frame{}, 0
	}
	return found, size
}

// scan calls visit with each whole frame in order. end is where the last one
// ends; damaged counts the bytes between frames that belong to none.
func scan(data []byte, visit func(frame)) (end, damaged int64) {
	for at := 0; at < len(data); {
		found, size := frameAt(data[at:])
		if size == 0 {
			at++
			continue
		}
		damaged += int64(at) - end
		at += size
		end = int64(at)
		visit(found)
	}
	return end, damaged
}
