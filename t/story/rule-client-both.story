# Who is authenticated and in mynetworks is both; what no rule says is as for those that are authenticated.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
rule "printers" { client = {"mynetworks"} action = "tag" }
at 0s  probe connection-refused hard -> down
at 1s  mail mynetworks -> tag
at 1s  mail authenticated mynetworks -> tag
at 1s  rule-for authenticated -> none
at 1s  all-or-nothing authenticated -> yes
