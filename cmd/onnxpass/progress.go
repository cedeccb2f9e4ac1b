package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// meter shows how far a long step is: a bar that is drawn over itself on a
// terminal, a line every 10 seconds elsewhere.
type meter struct {
	mu     sync.Mutex
	w      io.Writer // nil: silent
	bar    bool
	what   string
	start  time.Time
	shown  time.Time
	drawn  bool
	now    func() time.Time
	width  int
	silent time.Duration // nothing is shown of a step that is over sooner
}

// The least time between two redraws of the bar and between two lines.
const (
	redraw = 100 * time.Millisecond
	relog  = 10 * time.Second
)

func (a *app) progress() *meter {
	m := &meter{w: a.err, bar: interactive(a.err), now: time.Now, width: 30, silent: 300 * time.Millisecond}
	if a.global.quiet || a.global.logFormat == "json" {
		m.w = nil
	}
	return m
}

// update is called after each unit of work.
func (m *meter) update(what string, done, total int) {
	if m.w == nil || total <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if what != m.what {
		m.erase()
		m.what, m.start, m.shown = what, now, now
		return
	}
	switch {
	case m.bar && now.Sub(m.shown) >= redraw && now.Sub(m.start) >= m.silent:
		m.draw(now, done, total)
	case !m.bar && now.Sub(m.shown) >= relog:
		fmt.Fprintf(m.w, "%s %d/%d, %s left\n", what, done, total, m.left(now, done, total))
		m.shown = now
	}
}

func (m *meter) draw(now time.Time, done, total int) {
	full := m.width * done / total
	fmt.Fprintf(m.w, "\r%-10s [%s%s] %d/%d  %s left\x1b[K", m.what, strings.Repeat("#", full), strings.Repeat(".", m.width-full), done, total, m.left(now, done, total))
	m.shown, m.drawn = now, true
}

// left is the remaining time if work goes on at the same rate.
func (m *meter) left(now time.Time, done, total int) time.Duration {
	if done == 0 {
		return 0
	}
	per := now.Sub(m.start) / time.Duration(done)
	return (per * time.Duration(total-done)).Round(time.Second)
}

// clear removes the bar.
func (m *meter) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.erase()
}

func (m *meter) erase() {
	if m.drawn {
		fmt.Fprint(m.w, "\r\x1b[K")
		m.drawn = false
	}
}
