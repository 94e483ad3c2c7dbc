package declarative

import (
	"gopkg.in/yaml.v3"
)

// spec is a file as it is written. Keys that are not here are refused.
type spec struct {
	Name    string   `yaml:"name"`
	Version string   `yaml:"version"`
	Aliases []string `yaml:"aliases"`
	Title   string   `yaml:"title"`
	BaseURL string   `yaml:"base_url"`
	Sandbox string   `yaml:"sandbox"`

	Auth    authSpec          `yaml:"auth"`
	Headers map[string]string `yaml:"headers"`

	Identifiers  []identifierSpec `yaml:"identifiers"`
	LowerCaseIDs bool             `yaml:"lower_case_ids"`
	Unit         string           `yaml:"unit"`

	Answer  fields      `yaml:"answer"`
	Webhook webhookSpec `yaml:"webhook"`
	Create  *createSpec `yaml:"create"`
	Verify  *verifySpec `yaml:"verify"`

	// Words by meaning and then by confidence.
	Words         map[string]map[string][]string `yaml:"words"`
	WebhookWords  map[string]map[string][]string `yaml:"webhook_words"`
	EnvelopeWords []string                       `yaml:"envelope_words"`
	ErrorWords    []string                       `yaml:"error_words"`
	Final         []string                       `yaml:"final"`
	Unsafe        []string                       `yaml:"unsafe"`
	Recheck       string                         `yaml:"recheck"`

	Poll      pollSpec `yaml:"poll"`
	FreeReads bool     `yaml:"free_reads"`

	Credentials []fieldSpec `yaml:"credentials"`
	Settings    []fieldSpec `yaml:"settings"`
	Notes       []noteSpec  `yaml:"notes"`
}

// authSpec is how calls are authenticated. Credentials are named: one, or two for basic.
type authSpec struct {
	Kind        string   `yaml:"kind"`
	Name        string   `yaml:"name"`
	Credentials []string `yaml:"credentials"`
}

type identifierSpec struct {
	Kind       string `yaml:"kind"`
	Path       string `yaml:"path"`
	Meaning    string `yaml:"meaning"`
	Confidence string `yaml:"confidence"`
}

// fields are the paths of provider.Shape. nil leaves what the answer's fields say.
type fields struct {
	Wrappers      []string `yaml:"wrappers"`
	LooseWrappers []string `yaml:"loose_wrappers"`
	Status        []string `yaml:"status"`
	ID            []string `yaml:"id"`
	OuterID       []string `yaml:"outer_id"`
	Hash          []string `yaml:"hash"`
	Reference     []string `yaml:"reference"`
	Amount        []string `yaml:"amount"`
	CreatedAt     []string `yaml:"created_at"`
	PaidAt        []string `yaml:"paid_at"`
	EndToEnd      []string `yaml:"end_to_end"`
	ExpiresAt     []string `yaml:"expires_at"`
	Reason        []string `yaml:"reason"`
	Currency      []string `yaml:"currency"`
	Event         []string `yaml:"event"`
	TestEvents    []string `yaml:"test_events"`
	Producer      []string `yaml:"producer"`
	Offer         []string `yaml:"offer"`
	Product       []string `yaml:"product"`
	Token         []string `yaml:"token"`
}

type webhookSpec struct {
	Trust    string   `yaml:"trust"`
	Header   string   `yaml:"header"`
	Formats  []string `yaml:"formats"`
	Attempts int      `yaml:"attempts"`
	Panel    bool     `yaml:"panel"`
	Fields   fields   `yaml:"fields"`
}

type createSpec struct {
	Path   string    `yaml:"path"`
	Body   yaml.Node `yaml:"body"`
	Answer fields    `yaml:"answer"`
	// MinAmount and MaxAmount are centavos.
	MinAmount      int64    `yaml:"min_amount"`
	MaxAmount      int64    `yaml:"max_amount"`
	CustomerFields []string `yaml:"customer_fields"`
	// ExpiresInDays bounds $expires_in_days.
	ExpiresInDays *daysSpec `yaml:"expires_in_days"`
}

type daysSpec struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

// verifySpec is a harmless call. A path with {none} asks for a charge that does not exist.
type verifySpec struct {
	Path string `yaml:"path"`
}

type pollSpec struct {
	MinInterval    string `yaml:"min_interval"`
	Cadence        string `yaml:"cadence"`
	CallsPerMinute int    `yaml:"calls_per_minute"`
	Confidence     string `yaml:"confidence"`
}

type fieldSpec struct {
	Name     string `yaml:"name"`
	Required bool   `yaml:"required"`
	PT       string `yaml:"pt"`
	EN       string `yaml:"en"`
}

type noteSpec struct {
	Text       string `yaml:"text"`
	Confidence string `yaml:"confidence"`
	Open       bool   `yaml:"open"`
}
