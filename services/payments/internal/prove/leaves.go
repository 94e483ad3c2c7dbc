package prove

import (
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// askBatch is how many sales the leaves are asked about at once.
const askBatch = 500

// leaves asks delivery and notifier about every sale that has a link and about every sale whose message was handed over. It reads the
// sales anew, without a transaction around the calls: what is recorded here was recorded there before.
func (p *prover) leaves() error {
	s := store.New(p.Pool)
	var after store.Key
	for {
		told, err := s.HandedOver(p.ctx, after, p.merchant, askBatch)
		if err != nil {
			return err
		}
		if len(told) == 0 {
			return nil
		}
		after = told[len(told)-1].Key
		for begin := 0; begin < len(told); { // a merchant's sales lie together
			end := begin
			var links, messages []payment.ID
			for ; end < len(told) && told[end].MerchantID == told[begin].MerchantID; end++ {
				if told[end].Link {
					links = append(links, told[end].PaymentID)
				}
				if told[end].Message {
					messages = append(messages, told[end].PaymentID)
				}
			}
			m := told[begin].MerchantID
			missing, err := p.Leaves.Undelivered(p.ctx, m, links)
			if err != nil {
				return err
			}
			for _, id := range missing {
				p.found(Found{Kind: "link_unknown", MerchantID: m, PaymentID: id, Text: "a link was issued, and delivery knows of none"})
			}
			if missing, err = p.Leaves.Untold(p.ctx, m, messages); err != nil {
				return err
			}
			for _, id := range missing {
				p.found(Found{Kind: "message_unknown", MerchantID: m, PaymentID: id, Text: "the buyer's message was handed over, and notifier knows of none"})
			}
			p.counts.Asked += int64(end - begin)
			begin = end
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
}
