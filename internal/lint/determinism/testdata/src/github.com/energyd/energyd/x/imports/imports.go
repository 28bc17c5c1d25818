// Package imports holds what the rules import and rand catch in x/ and what
// they let pass.
package imports

import (
	_ "bytes"
	_ "context"     // want `import: import of context`
	_ "crypto/rand" // want `rand: import of crypto/rand`
	_ "crypto/sha256"
	_ "encoding/json"
	_ "errors"
	_ "io"
	_ "io/ioutil" // want `import: import of io/ioutil`
	_ "log"       // want `import: import of log`
	_ "log/slog"  // want `import: import of log/slog`
	_ "math/big"
	_ "math/rand"    // want `rand: import of math/rand`
	_ "math/rand/v2" // want `rand: import of math/rand/v2`
	_ "net"          // want `import: import of net`
	_ "net/http"     // want `import: import of net/http`
	_ "os"           // want `import: import of os`
	_ "os/exec"      // want `import: import of os/exec`
	_ "reflect"      // want `import: import of reflect`
	_ "runtime"      // want `import: import of runtime`
	_ "sort"
	_ "sync"        // want `import: import of sync`
	_ "sync/atomic" // want `import: import of sync/atomic`
	_ "time"
	_ "unsafe" // want `import: import of unsafe`

	_ "github.com/cometbft/cometbft/abci/types" // want `import: import of github.com/cometbft/cometbft/abci/types`
)
