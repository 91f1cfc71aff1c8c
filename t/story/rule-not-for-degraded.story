# Rules are about hops that are down: while one is degraded mail passes, tagged.
hop remote smtp:[relay.example.net]:587 relayhost
rule "all" { action = "tempfail" }
rule "slow" { reason = "slow" action = "accept" }
at 0s  probe slow -> degraded
at 1s  mail other -> tag
at 1s  mail authenticated -> tag
at 1s  rule-for other -> none
