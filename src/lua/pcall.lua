--- A `pcall` across which a function may wait.

local require = ...

return require("cosock.protected").pcall
