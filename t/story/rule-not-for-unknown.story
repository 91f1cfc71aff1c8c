# Nor do they say anything about what is not known.
hop remote smtp:[relay.example.net]:587 relayhost
interval 10s
rule "all" { action = "tempfail" }
at 0s   mail other -> accept
at 1s   probe connection-refused hard -> down
at 2s   mail reentry -> accept
at 2s   rule-for other -> all
at 32s  look -> unknown
at 32s  mail other -> accept
