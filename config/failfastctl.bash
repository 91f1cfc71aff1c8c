# shellcheck shell=bash
# failfastctl.bash - completion of failfastctl(8) for bash(1)
#
# The line is taken apart here, because bash takes names of hops apart at their colons.  Names come from mail and from
# configuration: they are compared and quoted, and never expanded.

# _failfastctl_add WORD... - those that begin with what is there, which is a part of no name
_failfastctl_add() {
	local word
	for word; do
		[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
	done
}

# _failfastctl_files - names of files; bash quotes them itself
_failfastctl_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
}

# _failfastctl_hops - names from the daemon, quoted as they have to be, without what bash counts as earlier words
_failfastctl_hops() {
	local name quoted before plain=$cur quote=
	case $plain in
	[\'\"]*)
		quote=${plain:0:1}
		plain=${plain:1}
		;;
	*) plain=${plain//\\/} ;;
	esac
	before=
	if [[ -z $quote && ${COMP_WORDBREAKS-} == *:* ]]; then
		printf -v before %q "${plain%"${plain##*:}"}"
		[[ $plain == *:* ]] || before=
	fi
	while IFS= read -r name; do
		[[ $name == "$plain"* ]] || continue
		quoted=$name
		[[ -n $quote ]] || printf -v quoted %q "$name"
		COMPREPLY+=("${quoted#"$before"}")
	done < <("${words[0]}" "${options[@]}" status --names 2>/dev/null)
}

# _failfastctl_command - options and arguments of a command; arguments: those before the word in question
_failfastctl_command() {
	case $1 in
	status)
		_failfastctl_add --json --plugin --names
		[[ $arguments -gt 0 || $cur == -* ]] || _failfastctl_hops
		;;
	watch)
		_failfastctl_add --json
		[[ $arguments -gt 0 || $cur == -* ]] || _failfastctl_hops
		;;
	probe)
		_failfastctl_add --json
		[[ $arguments -gt 0 || $cur == -* ]] || _failfastctl_hops
		;;
	force)
		if [[ $cur == -* ]]; then
			_failfastctl_add --json --for --comment
		elif [[ $arguments -eq 0 ]]; then
			_failfastctl_hops
		elif [[ $arguments -eq 1 ]]; then
			_failfastctl_add up down auto
		else
			_failfastctl_add --json --for --comment
		fi
		;;
	explain) _failfastctl_add --json --listener ;;
	queue)
		_failfastctl_add --json
		[[ $arguments -gt 0 || $cur == -* ]] || _failfastctl_files
		;;
	check | reload) _failfastctl_add --json ;;
	help) [[ $arguments -gt 0 ]] || _failfastctl_add "${commands[@]}" ;;
	esac
}

_failfastctl() {
	local -a words options=() commands=(status explain probe force check queue watch reload help)
	local line=${COMP_LINE:0:COMP_POINT} cur command='' arguments=0 at
	COMPREPLY=()
	read -ra words <<<"$line"
	[[ $line != *[[:space:]] ]] || words+=('')
	cur=${words[-1]}
	for ((at = 1; at < ${#words[@]} - 1; at++)); do
		case ${words[at]} in
		-c | -s)
			if ((at + 1 == ${#words[@]} - 1)); then
				_failfastctl_files
				return
			fi
			options+=("${words[at]}" "${words[at + 1]}")
			((at++))
			;;
		--for | --comment | --listener)
			((at++))
			# Its value is nothing that could be known.
			((at < ${#words[@]} - 1)) || return 0
			;;
		-*) ;;
		*)
			if [[ -z $command ]]; then
				command=${words[at]}
			else
				((arguments++))
			fi
			;;
		esac
	done
	if [[ -n $command ]]; then
		_failfastctl_command "$command"
	elif [[ $cur == -* ]]; then
		_failfastctl_add -c -s -V --help
	else
		_failfastctl_add "${commands[@]}"
	fi
	return 0
}

complete -F _failfastctl failfastctl
