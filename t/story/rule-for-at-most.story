# "for_at_most": after four hours the mail had better wait here than get lost elsewhere.
hop remote smtp:[relay.example.net]:587 relayhost
interval 8h
rule "four hours" { for_at_most = 4h }
at 10s    probe connection-refused hard -> down
at 11s    mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection refused"
at 14409s mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection refused"
at 14410s mail other -> tag
at 14410s all-or-nothing authenticated -> no
at 14410s rule-for other -> four hours
