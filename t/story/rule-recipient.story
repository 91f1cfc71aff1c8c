# The postmaster is always reached, the recipients beside him are refused.
hop remote smtp:[relay.example.net]:587 relayhost
rule "postmaster" { recipient = {"postmaster@*"} action = "tag" }
at 0s  probe connection-refused hard -> down
at 1s  mail other to postmaster@example.com -> tag
at 1s  mail other to Postmaster@example.org -> tag
at 1s  mail other to user@example.com -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection refused"
