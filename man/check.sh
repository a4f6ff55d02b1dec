#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: check.sh INCLUDE-DIR MAN-DIR PAGE… . The pages that are installed are one for each
# function of sidecar.h, and the overview; each name is in its page, prototypes are the header's, and
# mandoc has nothing to say.
set -u
. "$(dirname "$0")/../tests/abi/tap.sh"
include=$1 man=$2
shift 2
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

# "sidecar_name(argument types and names)", without blanks that mean nothing.
prototypes() {
	printf '#include <sidecar/uring.h>\n' | cc -E -P -I "$include" - | tr '\n' ' ' |
		sed 's/[;{}]/&\n/g' | grep -v static |
		grep -oE '\bsidecar_[a-z0-9_]+ *\([^;{]*\);' | squeeze
}

squeeze() {
	tr -s ' \t' ' ' | sed 's/ *\([(),;*]\) */\1/g; s/;$//' | sort -u
}

# .Fn name "argument" "argument", or .Fo name, .Fa "argument"…, .Fc
documented() {
	for page in "$man"/man3/*.3; do
		awk '/^\.Sh / { synopsis = /SYNOPSIS/ }
		     !synopsis { next }
		     /^\.Fn / { name = $2; sub(/^\.Fn [^ ]+ ?/, "")
				gsub(/" "/, ","); gsub(/"/, ""); print name "(" $0 ");" }
		     /^\.Fo / { name = $2; list = "" }
		     /^\.Fa / { sub(/^\.Fa /, ""); gsub(/"/, ""); list = list (list ? "," : "") $0 }
		     /^\.Fc/  { print name "(" list ");" }' "$page"
	done | squeeze
}

same() {
	[ -s "$1" ] || { echo "${1##*/} is empty"; return 1; }
	diff --label "${1##*/}" --label "${2##*/}" -u "$1" "$2"
}

# A link leads to a page that names the function.
named() {
	local page missing=

	for page in "$man"/man3/*.3; do
		sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z0-9_]*\).*/\1/p' "$page" >"$scratch/names"
		sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/s/^\.F[no] \([a-z0-9_]*\).*/\1/p' "$page" |
			sort >"$scratch/functions"
		sort "$scratch/names" | diff - "$scratch/functions" || missing="$missing ${page##*/}"
	done
	[ -z "$missing" ] || { echo "NAME and SYNOPSIS differ in$missing"; return 1; }
}

lint() {
	cd "$man" && mandoc -Tlint -Wwarning man3/*.3 man7/*.7 man8/*.8
}

prototypes >"$scratch/header"
documented >"$scratch/pages"
{ sed 's/(.*/.3/' "$scratch/header"; echo sidecar.7; } | sort >"$scratch/functions-of-header"
printf '%s\n' "$@" | sort >"$scratch/installed"
verdict "every public function has a page" same "$scratch/functions-of-header" "$scratch/installed"
verdict "the prototypes are those of the header" same "$scratch/header" "$scratch/pages"
verdict "every page names what it documents" named
command -v mandoc >/dev/null && verdict "mandoc has nothing to say" lint
echo "1..$count"
