// Package origin keeps certificates of origin (SPEC 15): who may claim that a Wh
// which it bought was made of wind, water, sun or biomass, and that nobody else
// claims it. It exists apart from settlement, which brings what was delivered,
// because certificates go on living without periods: they are passed on and
// retired. It lies below settlement, which calls it.
//
// State (module byte protocol.ModuleOrigin):
//
//	1 holdings  account, month, energy type  Holding, while it holds or retired any
//	2 totals    month, energy type           Total
//	3 excesses  seller, energy type          Excess, until it is netted
//	4 stocks    account                      Stock, while its storage holds any
//
// A certificate is a number of Wh of one energy type and one month of production
// (the UTC month in which the period began), not a record per trade: of 10 000
// trades of a period each buyer keeps one row per energy type and month. Which
// trades they came of the statements say, which lead by proof to the state.
//
// Issue. Settlement calls Issue with each first statement of a buyer. Of what was
// delivered the buyer is issued what arrived; what was lost on the way is retired
// at once. A correction calls the same with the difference. A negative one takes
// nothing from the buyer, which may have passed it on: the energy becomes the
// seller's excess, and what is certified of the seller next, of the same energy
// type, is not issued until the excess is gone. Which energy is clean and measured
// settlement decides (its doc.go).
//
// Messages: MsgTransferCertificate passes certificates on to an active prosumer or
// aggregator; MsgRetireCertificate uses them up for a purpose of at most 128
// bytes. What is retired cannot be transferred or retired again. The purpose is in
// the transaction and the event only; the state keeps the sum. Debt stops neither:
// certificates are no coins. There are no hooks, and certificates do not expire.
//
// Storage. A stock is a queue of batches: energy of one type and month, whose
// certificates charging cancelled, or energy without. Charge cancels what the account
// holds, the oldest month first, and takes the loss of the efficiency off at once, so
// a Wh in stock is a Wh that can be discharged; what it holds nothing for dilutes
// the stock. Discharge takes of the front what storage sold, and its buyer is issued
// the certificates anew, of the same type and month (Delivery.Stored); Spend takes
// what went to the grid, of which nobody has any. What the stock has not is without
// certificates. A correction takes nothing back that was issued: energy that was not
// discharged after all comes back to the front without certificates (Unspend), so
// that what is sold next has less; what was not charged after all leaves the newest
// of the stock, and its certificates are held again (Uncharge). The sellers' excess
// is not netted against stored energy, which others produced. Like batches next to
// each other are one. Of 100 batches on one begins only for energy without
// certificates, others join the newest like them, and what finds none stays held.
// Which account has a stock, and when it changes, settlement decides.
//
// Invariant origin: for each energy type and month issued = lost + retired + stored
// + the sum of what accounts hold, and retired is the sum of theirs; stored, which
// charging cancelled, = lost by storage + the sum of what stocks hold + released to
// buyers + spent, so no more is released than was cancelled; for each energy type
// what was reclaimed and not yet netted is the sum of the sellers' excesses.
package origin
