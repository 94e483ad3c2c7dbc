module github.com/baixapay/baixa/e2e

go 1.26.0

require github.com/baixapay/baixa v0.0.0

replace github.com/baixapay/baixa => ../
