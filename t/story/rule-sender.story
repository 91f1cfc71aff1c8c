# One customer's mail is taken whatever happens; case does not matter in addresses.
hop remote smtp:[relay.example.net]:587 relayhost
rule "customer" { sender = {"*@customer.example", "boss@*"} action = "tag" }
at 0s  probe connection-refused hard -> down
at 1s  mail other from someone@customer.example -> tag
at 1s  mail other from Someone@Customer.EXAMPLE -> tag
at 1s  mail other from boss@elsewhere.example -> tag
at 1s  rule-for other from someone@customer.example.org -> none
at 1s  rule-for other from someone@sub.customer.example -> none
at 1s  rule-for other from <> -> none
