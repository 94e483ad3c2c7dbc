package main

// langFlag is the language of what a command prints for people.
type langFlag struct {
	Lang string `env:"BAIXA_LANG" default:"pt-BR" enum:"pt-BR,en" help:"pt-BR or en."`
}

// say is the one of two texts that the reader wants.
func (l langFlag) say(pt, en string) string {
	if l.Lang == "en" {
		return en
	}
	return pt
}
