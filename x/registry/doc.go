// Package registry says who takes part and by which rules: accounts with their
// roles and keys, meters, the aggregators that validate, the authority and its
// proposals, and the parameters of consensus (SPEC 1, 2, 5). Every other module
// asks it, it asks none: it is the only source of truth about identity.
//
// State (module byte protocol.ModuleRegistry):
//
//	1  account address           Account
//	2  public key                KeyOwner, tombstones of removed keys included
//	3  meter name                Meter
//	4  account address | meter   empty: the meters of an account by name
//	5  -first period             ParamsEntry, newest first
//	6                            Authority
//	7                            Chain
//	8  proposal id               Proposal
//	9  expiry height | id        empty: when proposals end
//	10 account address           empty: frozen or revoked in this block
//	11 account address           EnginePower: voting power that the engine knows
//	12 consensus key             KeyOwner
//	13 account address           empty: revoked and not closed yet
//	14 account address           Endpoints of an aggregator
//	15 account address           GatewaySettings
//
// Messages: Apply by an aggregator for its region; Approve, Reject, BindMeter,
// SetRoles, SetValidator, Freeze, Thaw, Revoke, SetParams and SetAuthority by
// the authority; Propose and ApproveProposal by a key of the authority;
// SetEndpoints by an aggregator; SetGateway by a gateway, its home aggregator or
// the authority.
//
// The authority is k of n keys that agree by transactions: one proposes, others
// approve, with the k-th approval the messages are executed in the authority's
// name. The messages go back through the application (Ctx.Route), because they
// may be any module's and registry imports no other.
//
// An application reserves its account id and its meters' names; its keys
// become known, and its meters readable, with the approval.
//
// Revoking an account cancels its orders and ends its contracts; what stands is
// settled. Once it has no obligation left settlement closes it (Close), in the first
// block of a period. Until then its coins are not paid out.
//
// Endpoints say where aggregators' nodes answer RPC, so that a gateway finds
// another one when its own is away. They are an aggregator's word: the chain
// checks their form (protocol.CheckEndpoint), not who answers there. Those of a
// frozen aggregator, whose node still validates, are named last; a revocation
// removes them.
//
// A gateway's settings are what its operator asks of it (metering.md 8): how often
// it signs and how long readings may wait before they are sent. A reading
// interval divides the period length, so that a reading is signed at every
// boundary; settings of 0 and 0 are not kept.
//
// End of block: proposals that nobody completed are dropped; the list of
// accounts stopped in this block, which matching has read by then, is cleared.
// The hook runs last.
//
// Invariant: "registry", the tables agree with each other.
package registry
