package lint

import (
	"slices"
	"strings"
	"testing"
)

// heavy are folders of packages that no gateway needs: the engine with its
// network, databases, second protobuf and tracing. Any of them doubles the size of
// cmd/energymeter, which metering.md 8 bounds; make cross checks the bytes.
var heavy = []string{
	"github.com/cometbft",
	"github.com/cosmos/gogoproto",
	"github.com/cosmos/ics23",
	"github.com/cockroachdb/pebble",
	"github.com/syndtr/goleveldb",
	"github.com/libp2p",
	"google.golang.org/grpc",
	"golang.org/x/net/trace",
	"html/template",
	modulePath + "/client/proof",
	modulePath + "/app",
	modulePath + "/state",
	modulePath + "/x",
}

func TestGatewaysStayLean(t *testing.T) {
	programs := listPackages(t, true, "./cmd/energymeter")
	if !slices.ContainsFunc(programs, func(p listed) bool { return p.ImportPath == modulePath+"/client" }) {
		t.Fatal("cmd/energymeter does not stand on client: the list is not its own")
	}
	for _, p := range programs {
		for _, folder := range heavy {
			if p.ImportPath == folder || strings.HasPrefix(p.ImportPath, folder+"/") {
				t.Errorf("cmd/energymeter stands on %s: gateways must do without", p.ImportPath)
			}
		}
	}
}
