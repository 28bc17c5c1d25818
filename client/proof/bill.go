package proof

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	ics23 "github.com/cosmos/ics23/go"
	"golang.org/x/sync/errgroup"

	"github.com/energyd/energyd/client"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
)

// Bill is an account's statements with everything that shows that they are the
// chain's: each statement's path to the root of its period's statements, the
// proof of that root in the state after Height, and the next header, which
// holds that state's hash, with its commit and validators (SPEC 15).
type Bill struct {
	ChainID  string
	Account  protocol.Address
	Totals   BillTotals
	Height   int64
	Sections []BillSection
	// Header is that of Height + 1; nil in a bill without proof.
	Header *Header
	// Without are settled periods asked for of which the node has no statement: the
	// account took no part, or it was removed after the retention time. A file does
	// not say.
	Without []int64
}

// BillTotals sums the statements.
type BillTotals struct {
	BoughtWh       int64 `json:"bought_wh"`
	SoldWh         int64 `json:"sold_wh"`
	GridImportWh   int64 `json:"grid_import_wh"`
	GridExportWh   int64 `json:"grid_export_wh"`
	PaidUcoin      int64 `json:"paid_ucoin"`
	ReceivedUcoin  int64 `json:"received_ucoin"`
	FeesUcoin      int64 `json:"fees_ucoin"`
	DebtUcoin      int64 `json:"debt_ucoin"`
	GridAloneUcoin int64 `json:"grid_alone_ucoin"`
	// SavedUcoin is the cost with the grid alone less what was paid, received
	// and left as debt.
	SavedUcoin int64 `json:"saved_ucoin"`
}

// BillSection is one period of a bill.
type BillSection struct {
	Statement *settlementv1.Statement
	// Root of the period's statements; nil while the period is in settlement.
	Root *settlementv1.StatementsRoot
	// Index and Aunts lead from the statement to the root.
	Index int64
	Aunts [][]byte
	Proof *ics23.CommitmentProof
}

// Errors of bills.
var (
	ErrBillChanged  = errors.New("the bill is not as it was written")
	ErrBillUnproved = errors.New("the bill has no proof")
	ErrBillEmpty    = errors.New("the bill has no period: it proves nothing")
)

type billFile struct {
	ChainID  string          `json:"chain_id"`
	Account  string          `json:"account"`
	Totals   BillTotals      `json:"totals"`
	Height   int64           `json:"height"`
	Sections []sectionFile   `json:"periods"`
	Header   json.RawMessage `json:"header,omitempty"`
}

type sectionFile struct {
	Statement json.RawMessage `json:"statement"`
	Root      json.RawMessage `json:"root,omitempty"`
	Index     int64           `json:"index"`
	Aunts     []string        `json:"aunts,omitempty"`
	Proof     string          `json:"proof,omitempty"`
}

// MarshalJSON writes the bill as a file holds it.
func (b *Bill) MarshalJSON() ([]byte, error) {
	file := billFile{ChainID: b.ChainID, Account: b.Account.String(), Totals: b.Totals, Height: b.Height, Sections: []sectionFile{}}
	if b.Header != nil {
		header, err := b.Header.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
		file.Header = header
	}
	for _, section := range b.Sections {
		written, err := section.file()
		if err != nil {
			return nil, err
		}
		file.Sections = append(file.Sections, written)
	}
	return json.Marshal(file)
}

func (s *BillSection) file() (sectionFile, error) {
	statement, err := client.EncodeJSON(s.Statement)
	if err != nil {
		return sectionFile{}, err
	}
	file := sectionFile{Statement: statement, Index: s.Index}
	for _, aunt := range s.Aunts {
		file.Aunts = append(file.Aunts, hex.EncodeToString(aunt))
	}
	if s.Root != nil {
		if file.Root, err = client.EncodeJSON(s.Root); err != nil {
			return sectionFile{}, err
		}
	}
	if s.Proof != nil {
		proof, err := s.Proof.Marshal()
		if err != nil {
			return sectionFile{}, err
		}
		file.Proof = hex.EncodeToString(proof)
	}
	return file, nil
}

// ParseBill reads a bill's file. Whatever would be written differently is
// refused, so that every digit of a file that passes is one that was read; a file
// from before records had some field may lack it.
func ParseBill(data []byte) (*Bill, error) {
	var file billFile
	if err := strictjson.Decode(data, &file); err != nil {
		return nil, fmt.Errorf("bill: %w", err)
	}
	wrong := func(field string, err error) error {
		if inner, ok := errors.AsType[*partError](err); ok {
			outer := strictjson.At(data, &file, strings.TrimPrefix(field+"."+inner.part, "."), "", "")
			return fmt.Errorf("bill: %w", inner.mistake.Within(outer))
		}
		return fmt.Errorf("%w: %w", ErrBillChanged, strictjson.At(data, &file, field, "what the bill was written with", err.Error()))
	}
	account, err := protocol.ParseAddress(file.Account)
	if err != nil {
		return nil, wrong("account", err)
	}
	bill := &Bill{ChainID: file.ChainID, Account: account, Totals: file.Totals, Height: file.Height}
	for i, written := range file.Sections {
		section, err := written.section()
		if err != nil {
			return nil, wrong(fmt.Sprintf("periods[%d]", i), err)
		}
		bill.Sections = append(bill.Sections, section)
	}
	if file.Header != nil {
		bill.Header = new(Header)
		if err := bill.Header.UnmarshalJSON(file.Header); err != nil {
			return nil, wrong("", inPart("header", err))
		}
	}
	again, err := json.Marshal(bill)
	if err != nil {
		return nil, fmt.Errorf("bill: %w", err)
	}
	var tight bytes.Buffer
	if err := json.Compact(&tight, data); err != nil {
		return nil, fmt.Errorf("bill: %w", err)
	}
	if !wasWritten(tight.Bytes(), again) {
		return nil, fmt.Errorf("bill: %w: it would be written differently", ErrBillChanged)
	}
	return bill, nil
}

// partError is a mistake in a part of a bill that was decoded on its own: its
// line and column are those in the part.
type partError struct {
	mistake *strictjson.Error
	part    string
}

func (e *partError) Error() string { return e.part + ": " + e.mistake.Error() }

// inPart says in what part of a bill a mistake is.
func inPart(part string, err error) error {
	if mistake, ok := errors.AsType[*strictjson.Error](err); ok {
		return &partError{mistake, part}
	}
	return fmt.Errorf("%s: %w", part, err)
}

func (f *sectionFile) section() (BillSection, error) {
	section := BillSection{Statement: new(settlementv1.Statement), Index: f.Index}
	if err := client.DecodeJSON(f.Statement, section.Statement); err != nil {
		return section, inPart("statement", err)
	}
	if f.Root != nil {
		section.Root = new(settlementv1.StatementsRoot)
		if err := client.DecodeJSON(f.Root, section.Root); err != nil {
			return section, inPart("root", err)
		}
	}
	for i, text := range f.Aunts {
		aunt, err := hex.DecodeString(text)
		if err != nil || len(aunt) != 32 {
			return section, fmt.Errorf("aunts[%d]: expected 64 hexadecimal digits", i)
		}
		section.Aunts = append(section.Aunts, aunt)
	}
	if f.Proof != "" {
		data, err := hex.DecodeString(f.Proof)
		if err != nil {
			return section, errors.New("proof: expected hexadecimal digits")
		}
		section.Proof = new(ics23.CommitmentProof)
		if err := section.Proof.Unmarshal(data); err != nil {
			return section, fmt.Errorf("proof: %w", err)
		}
	}
	return section, nil
}

// Verify checks the bill with nothing but itself and a trusted header: its
// sums, each statement's path and proof, the header's signatures, and the way
// from the trusted header to it.
func (b *Bill) Verify(trusted *Trusted) error {
	if len(b.Sections) == 0 {
		return ErrBillEmpty
	}
	totals, err := b.sum()
	if err != nil {
		return err
	}
	if totals != b.Totals {
		return fmt.Errorf("%w: totals: the statements sum up to others", ErrBillChanged)
	}
	if b.Header == nil {
		return ErrBillUnproved
	}
	if err := b.Header.Verify(b.ChainID); err != nil {
		return err
	}
	if b.Header.Signed.Height != b.Height+1 {
		return fmt.Errorf("%w: header: expected that of height %d, got %d", ErrBillChanged, b.Height+1, b.Header.Signed.Height)
	}
	for i, section := range b.Sections {
		// A statement given twice would count twice.
		if i > 0 && section.Statement.Period <= b.Sections[i-1].Statement.Period {
			return fmt.Errorf("%w: periods[%d]: expected a later period than the one before", ErrBillChanged, i)
		}
		if err := section.verify(b.Account, b.Header.Signed.AppHash); err != nil {
			return fmt.Errorf("periods[%d]: %w", i, err)
		}
	}
	return trusted.Trust(b.ChainID, b.Header)
}

// verify checks that the statement is the account's and stands under the
// state's root.
func (s *BillSection) verify(account protocol.Address, appHash []byte) error {
	if string(s.Statement.Account) != string(account[:]) {
		return fmt.Errorf("%w: statement: of another account", ErrBillChanged)
	}
	if s.Root == nil || s.Proof == nil {
		return ErrBillUnproved
	}
	if s.Root.Period != s.Statement.Period {
		return fmt.Errorf("%w: root: of another period", ErrBillChanged)
	}
	leaf, err := protocol.StatementLeaf(s.Statement)
	if err != nil {
		return err
	}
	if root := protocol.PathRoot(leaf, s.Index, s.Root.Accounts, s.Aunts); root == nil || !bytes.Equal(root, s.Root.Root) {
		return fmt.Errorf("%w: statement: its path does not lead to the period's root", ErrBillChanged)
	}
	value, err := protocol.Marshal(s.Root)
	if err != nil {
		return err
	}
	if !ics23.VerifyMembership(ics23.SmtSpec, appHash, s.Proof, protocol.StatementsRootKey(s.Root.Period), value) {
		return fmt.Errorf("%w: root: not in the state whose hash the header holds", ErrBillChanged)
	}
	return nil
}

// sum adds the statements up.
func (b *Bill) sum() (BillTotals, error) {
	var t BillTotals
	for _, section := range b.Sections {
		s := section.Statement
		for _, term := range []struct {
			into  *int64
			value int64
		}{
			{&t.BoughtWh, s.BoughtWh},
			{&t.SoldWh, s.SoldWh},
			{&t.GridImportWh, s.GridImportWh},
			{&t.GridExportWh, s.GridExportWh},
			{&t.PaidUcoin, s.PaidUcoin},
			{&t.ReceivedUcoin, s.ReceivedUcoin},
			{&t.FeesUcoin, s.FeesUcoin},
			{&t.DebtUcoin, s.DebtUcoin},
			{&t.GridAloneUcoin, s.GridAloneUcoin},
		} {
			sum, err := units.Add(*term.into, term.value)
			if err != nil {
				return t, fmt.Errorf("bill: totals: %w", err)
			}
			*term.into = sum
		}
	}
	var err error
	t.SavedUcoin, err = units.Sum(t.GridAloneUcoin, -t.PaidUcoin, -t.DebtUcoin, t.ReceivedUcoin)
	return t, err
}

// FetchBill fetches an account's statements of the periods in [from, to] that are
// settled, and with proof all that Verify needs.
func FetchBill(ctx context.Context, c *client.Client, chainID string, account protocol.Address, from, to int64, proof bool) (*Bill, error) {
	bill := &Bill{ChainID: chainID, Account: account}
	roots := new(settlementv1.QueryRootsResponse)
	for next := from; next <= to; next = roots.Roots[len(roots.Roots)-1].Period + 1 {
		request := &settlementv1.QueryRootsRequest{FromPeriod: next, Limit: 1000}
		roots = new(settlementv1.QueryRootsResponse)
		if _, err := c.Query(ctx, request, roots, 0); err != nil {
			return nil, err
		}
		if len(roots.Roots) == 0 {
			break
		}
		for _, root := range roots.Roots {
			if root.Period > to {
				break
			}
			section, err := fetchSection(ctx, c, account, root.Period, 0)
			if err != nil {
				return nil, err
			}
			if section == nil {
				bill.Without = append(bill.Without, root.Period)
				continue
			}
			bill.Sections = append(bill.Sections, *section)
		}
	}
	if proof {
		if err := bill.prove(ctx, c); err != nil {
			return nil, err
		}
	}
	var err error
	bill.Totals, err = bill.sum()
	return bill, err
}

// fetchSection returns a period as of a height, 0 for the latest; nil if the account
// has no statement in it.
func fetchSection(ctx context.Context, c *client.Client, account protocol.Address, period, height int64) (*BillSection, error) {
	answer := new(settlementv1.QueryStatementResponse)
	_, err := c.Query(ctx, &settlementv1.QueryStatementRequest{Account: account[:], Period: period}, answer, height)
	var rejected *client.Rejected
	if errors.As(err, &rejected) && rejected.Codespace == "settlement" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &BillSection{Statement: answer.Statement, Root: answer.Root, Index: answer.Index, Aunts: answer.Aunts}, nil
}

// provenAtOnce is how many proofs are asked for at a time: a node remembers the
// state of a height for seconds only, and all proofs are of one height.
const provenAtOnce = 8

// prove adds to each section the proof of its root, all under one header. A period
// that was settled or corrected after that header's state is in the bill as it was
// before: not at all, or not corrected.
func (b *Bill) prove(ctx context.Context, c *client.Client) error {
	head, err := c.Height(ctx)
	if err != nil {
		return err
	}
	if head < 2 {
		return errors.New("the chain has no state to prove yet: expected height 2 or later")
	}
	// The state after one height, whose hash the next header holds, is the
	// newest that can be proved.
	b.Height = head - 1
	proving, ctx := errgroup.WithContext(ctx)
	proving.SetLimit(provenAtOnce)
	for i := range b.Sections {
		proving.Go(func() error { return b.Sections[i].prove(ctx, c, b.Account, b.Height) })
	}
	proving.Go(func() (err error) {
		b.Header, err = FetchHeader(ctx, c, b.Height+1)
		return err
	})
	if err := proving.Wait(); err != nil {
		return err
	}
	b.Sections = slices.DeleteFunc(b.Sections, func(s BillSection) bool { return s.Proof == nil })
	return nil
}

// prove adds the proof of the section's root in the state after a height; none if the
// period had no root then.
func (s *BillSection) prove(ctx context.Context, c *client.Client, account protocol.Address, height int64) error {
	period := s.Statement.Period
	stored, err := c.RawQuery(ctx, "/store", protocol.StatementsRootKey(period), height)
	if err != nil {
		return fmt.Errorf("period %d: %w", period, err)
	}
	if len(stored.Value) == 0 {
		return nil
	}
	if root, err := protocol.Marshal(s.Root); err != nil || !bytes.Equal(root, stored.Value) {
		then, err := fetchSection(ctx, c, account, period, height)
		if err != nil || then == nil {
			return err
		}
		*s = *then
	}
	if stored.Proof == nil {
		return fmt.Errorf("period %d: the node gave no proof", period)
	}
	s.Proof = new(ics23.CommitmentProof)
	if err := s.Proof.Unmarshal(stored.Proof); err != nil {
		return fmt.Errorf("period %d: proof: %w", period, err)
	}
	return nil
}
