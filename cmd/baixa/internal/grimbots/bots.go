package grimbots

import (
	"errors"
	"io"
)

// Bot is one bot of the origin system with what its configuration says.
type Bot struct {
	Line            int
	ID, Name        string
	Token           string // BotFather's; empty when not exported
	AccessLink      string
	PixelID         string
	PixelToken      string
	TelegramAddress string // of a local Bot API server; empty is Telegram's own
}

// ReadBots reads a bots export: the column id is required; name, token, access_link, meta_pixel_id and meta_access_token are
// used when they are there.
func ReadBots(r io.Reader) (bots []Bot, problems []Problem, err error) {
	t, err := open(r, []string{"id"})
	if err != nil {
		return nil, nil, err
	}
	for {
		rec, problem, err := t.next()
		switch {
		case errors.Is(err, io.EOF):
			return bots, problems, nil
		case err != nil:
			return bots, problems, err
		case problem == nil && rec.get("id") == "":
			problem = &Problem{rec.line, "id", "expected the bot's id, found nothing"}
		}
		if problem != nil {
			problems = append(problems, *problem)
			continue
		}
		bots = append(bots, Bot{Line: rec.line, ID: rec.get("id"), Name: rec.get("name"), Token: rec.get("token"),
			AccessLink: rec.get("access_link"), PixelID: rec.get("meta_pixel_id"), PixelToken: rec.get("meta_access_token")})
	}
}
