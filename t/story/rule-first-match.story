# The first rule that matches wins; what is behind it does not count.
hop remote smtp:[relay.example.net]:587 relayhost
rule "exception" { sender = "root@*" action = "accept" }
rule "all" { action = "hold" }
rule "never reached" { sender = "a@*" action = "tag" }
at 0s  probe connection-refused hard -> down
at 1s  mail other from root@a.example -> accept
at 1s  mail other from a@a.example -> hold
at 1s  rule-for other from a@a.example -> all
