# Degraded: mail passes with a tag, whoever sends it.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
at 0s  probe transport-busy -> degraded
at 1s  mail other -> tag
at 1s  mail mynetworks -> tag
at 1s  mail authenticated -> tag
at 1s  mail local -> tag
at 1s  mail reentry -> tag
at 1s  all-or-nothing authenticated -> no
