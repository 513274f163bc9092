-- What is embedded in the module, and what a user would start from, sees only the names that every dialect has.
std = "min"
max_line_length = 120
self = false
cache = false

-- A command has no ending by which it could be told.
include_files = { "**/*.lua", "bin/*", "**/*.rockspec", ".busted", ".luacheckrc" }

files["spec"] = { std = "max+busted" }
files["bench"] = { std = "max" }
files["**/*.rockspec"] = { std = "rockspec" }
files[".busted"] = { std = "max" }
files[".luacheckrc"] = { std = "luacheckrc" }
