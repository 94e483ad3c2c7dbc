package trust

import (
	"testing"
	"time"
)

// account is n judged sales of which those before stop have a webhook, shifted by some seconds so that accounts sell in turn.
func account(n, stop int, shift time.Duration) Habit {
	all := history(n, func(i int) bool { return i < stop })
	for i := range all {
		all[i].FoundAt = all[i].FoundAt.Add(shift)
	}
	return Judge(all, 0, false, noon)
}

func TestJudgeProvider_silence(t *testing.T) {
	second := time.Second
	for name, c := range map[string]struct {
		accounts []Habit
		want     bool
	}{
		"two sales each of three accounts":    {[]Habit{account(42, 40, 0), account(42, 40, second), account(42, 40, 2*second)}, true},
		"one sale each of four":               {[]Habit{account(41, 40, 0), account(41, 40, second), account(41, 40, 2*second), account(41, 40, 3*second)}, true},
		"one sale each of two":                {[]Habit{account(41, 40, 0), account(41, 40, second)}, false},
		"one account alone, however long":     {[]Habit{account(140, 40, 0), account(40, 40, -time.Hour)}, false},
		"one account, and an unlucky sale":    {[]Habit{account(140, 40, 0), account(40, 40, second), account(41, 40, 2*second)}, false},
		"who never notified proves nothing":   {[]Habit{account(40, 0, 0), account(40, 0, second), account(40, 0, 2*second)}, false},
		"everybody had one":                   {[]Habit{account(40, 40, 0), account(40, 40, second), account(40, 40, 2*second)}, false},
		"accounts with little of their own":   {[]Habit{account(10, 8, 0), account(10, 8, second), account(10, 8, 2*second)}, true},
		"too little history of all together":  {[]Habit{account(8, 6, 0), account(8, 6, second)}, false},
		"nobody sells":                        {nil, false},
		"another had one after the last sale": {[]Habit{account(44, 40, 0), account(44, 40, second), account(44, 44, 2*second)}, false},
	} {
		if got := JudgeProvider(c.accounts, nil); got != c.want {
			t.Errorf("%s: silent %t", name, got)
		}
	}
}

func TestJudgeProvider_relaxesAlone(t *testing.T) {
	since := noon.Add(-5 * time.Minute)
	back := func(hinted ...int) []Habit {
		h := history(40, func(i int) bool {
			for _, n := range hinted {
				if i == n {
					return true
				}
			}
			return i < 35
		})
		return []Habit{Judge(h, 0, false, noon)}
	}
	for name, c := range map[string]struct {
		accounts []Habit
		silent   bool
	}{
		"nothing was sold since":           {[]Habit{account(40, 40, -time.Hour)}, true},
		"one alone may be a straggler":     {back(39), true},
		"two of three":                     {back(37, 39), false},
		"a broken account beside it sells": {append(back(37, 39), Habit{Silent: true, HintedBefore: 5, Newest: []Seen{{noon, false}, {noon, false}, {noon, false}}}), false},
	} {
		if got := JudgeProvider(c.accounts, &since); got != c.silent {
			t.Errorf("%s: silent %t", name, got)
		}
	}
}

func TestCommon_helpsWhoHasLittleHistory(t *testing.T) {
	c := CommonOf([]Habit{account(60, 60, 0), account(60, 60, 0), account(30, 0, 0)})
	if c.Accounts != 2 || c.Sales != 120 || c.Expected < 0.95 || c.P95 != 2*time.Second {
		t.Fatalf("%+v", c)
	}
	for name, x := range map[string]struct {
		common     Common
		n, stop    int
		want, also bool // with what is common, and without
	}{
		"eight after five":               {c, 13, 5, true, false},
		"three after five are too few":   {c, 8, 5, false, false},
		"who never had a webhook":        {c, 30, 0, false, false},
		"the provider has one account":   {CommonOf([]Habit{account(60, 60, 0)}), 13, 5, false, false},
		"the provider notifies one half": {CommonOf([]Habit{account(60, 60, 0), Judge(history(80, func(i int) bool { return i%9 == 0 }), 0, false, noon)}), 13, 5, false, false},
		"a history of its own":           {c, 66, 60, true, true},
	} {
		all := history(x.n, func(i int) bool { return i < x.stop })
		if got := x.common.Judge(all, 0, false, noon); got.Silent != x.want {
			t.Errorf("%s: silent %t, %+v", name, got.Silent, got)
		}
		if got := Judge(all, 0, false, noon); got.Silent != x.also {
			t.Errorf("%s, by itself: silent %t", name, got.Silent)
		}
	}
}
