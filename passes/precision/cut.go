package precision

// A network is a flow network whose minimum cut separates what is float32
// (reachable from node 0) from what is 16-bit (with node 1).
type network struct {
	first []int32 // first edge of each node, -1 for none
	edges []edge
	level []int32
	next  []int32 // edge to continue the search of each node with
}

// edge e and its reverse e^1 share a capacity.
type edge struct {
	to, after int32 // after: the next edge of the same node, -1 at the end
	left      int64
}

const unlimited = int64(1) << 40

func (n *network) add() int {
	n.first = append(n.first, -1)
	return len(n.first) - 1
}

// join makes it cost there when a is float32 and b is not, and back when b is and a is not.
func (n *network) join(a, b int, there, back int64) {
	n.half(a, b, there)
	n.half(b, a, back)
}

func (n *network) half(a, b int, left int64) {
	n.edges = append(n.edges, edge{int32(b), n.first[a], left})
	n.first[a] = int32(len(n.edges) - 1)
}

// cut says for every node whether it is on the side of node 0 in the minimum
// cut that has the fewest nodes there. The algorithm is Dinic's.
func (n *network) cut() []bool {
	for n.layers() {
		n.next = append(n.next[:0], n.first...)
		for n.augment() {
		}
	}
	side := make([]bool, len(n.first))
	for i, l := range n.level {
		side[i] = l >= 0
	}
	return side
}

// layers numbers the nodes by distance from node 0 over edges with capacity left, and says whether node 1 is reached.
func (n *network) layers() bool {
	n.level = n.level[:0]
	for range n.first {
		n.level = append(n.level, -1)
	}
	n.level[0] = 0
	queue := []int32{0}
	for len(queue) > 0 {
		a := queue[0]
		queue = queue[1:]
		for e := n.first[a]; e >= 0; e = n.edges[e].after {
			if b := n.edges[e].to; n.edges[e].left > 0 && n.level[b] < 0 {
				n.level[b] = n.level[a] + 1
				queue = append(queue, b)
			}
		}
	}
	return n.level[1] >= 0
}

// augment sends flow along one path of rising distance; false when there is none.
func (n *network) augment() bool {
	var path []int32
	at := int32(0)
	for at != 1 {
		e := n.next[at]
		for ; e >= 0; e = n.edges[e].after {
			if n.edges[e].left > 0 && n.level[n.edges[e].to] == n.level[at]+1 {
				break
			}
		}
		n.next[at] = e
		switch {
		case e >= 0:
			path = append(path, e)
			at = n.edges[e].to
		case len(path) == 0:
			return false
		default: // a dead end: step back and past the edge that led here
			last := path[len(path)-1]
			path = path[:len(path)-1]
			at = n.edges[last^1].to
			n.next[at] = n.edges[last].after
		}
	}
	least := unlimited
	for _, e := range path {
		least = min(least, n.edges[e].left)
	}
	for _, e := range path {
		n.edges[e].left -= least
		n.edges[e^1].left += least
	}
	return true
}
