# "client" takes the words for kinds of clients.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
rule "submission" { client = {"authenticated", "mynetworks"} action = "hold" }
rule "scripts"    { client = {"local"} action = "accept" }
rule "handed back" { client = {"reentry"} action = "tag" }
rule "world"      { client = {"other"} action = "tag" }
at 0s  probe connection-refused hard -> down
at 1s  mail authenticated -> hold
at 1s  mail mynetworks -> hold
at 1s  mail local -> accept
at 1s  mail reentry -> tag
at 1s  mail other -> tag
at 1s  rule-for reentry -> handed back
