# What a filter hands back was accepted long ago: a rule that does not speak of it neither refuses nor holds it.
hop remote smtp:[relay.example.net]:587 relayhost
rule "everybody" { sender = "*@a.example" action = "tempfail" }
rule "held" { sender = "*@b.example" action = "hold" }
rule "tagged" { sender = "*@c.example" action = "tag" }
at 0s  probe connection-refused hard -> down
at 1s  mail reentry from x@a.example -> accept
at 1s  mail reentry from x@b.example -> accept
at 1s  mail reentry from x@c.example -> tag
at 1s  mail other from x@b.example -> hold
