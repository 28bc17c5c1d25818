package paths

// Fees are what ways cost by the zones of their ends (SPEC 8), on top of the
// chain's fee.
type Fees struct {
	// zone of each node by its place: 0 for one that no fee knows.
	zone []int32
	// fee from zone i to zone j is fees[i*zones+j], in ucoin per kWh.
	zones int32
	fees  []int64
}

// Fees returns the fees between the nodes of p. zones are those that fees know,
// each once, and fee returns the fee in ucoin per kWh, 0 or more, from one of
// them to another by their places in the list.
func (p *Paths) Fees(zones []string, fee func(from, to int) int64) *Fees {
	n := len(zones) + 1
	f := &Fees{zone: make([]int32, len(p.nodes)), zones: int32(n), fees: make([]int64, n*n)}
	number := make(map[string]int32, len(zones))
	for i, zone := range zones {
		number[zone] = int32(i) + 1
		for j := range zones {
			f.fees[(i+1)*n+j+1] = fee(i, j)
		}
	}
	for i, node := range p.nodes {
		f.zone[i] = number[node.Zone]
	}
	return f
}

// Zone returns the zone in which a node lies, by its place.
func (p *Paths) Zone(place int32) string { return p.nodes[place].Zone }

// Between returns the fee in ucoin per kWh from one node to another, by their
// places in the Paths; 0 of no Fees.
func (f *Fees) Between(source, target int32) int64 {
	if f == nil {
		return 0
	}
	return f.fees[f.zone[source]*f.zones+f.zone[target]]
}
