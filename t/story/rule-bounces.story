# Bounces have no sender; a rule calls that "<>".
hop remote smtp:[relay.example.net]:587 relayhost
rule "bounces" { sender = {"<>"} action = "accept" }
at 0s  probe connection-refused hard -> down
at 1s  mail other from <> -> accept
at 1s  rule-for other from a@b.example -> none
