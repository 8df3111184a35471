-- How Argo CD reads a CakeBakery: docs/operator/argo-cd.md says where this goes.
local status = obj.status
if status == nil or status.conditions == nil then
  return { status = "Progressing", message = "The operator has not looked at it yet" }
end
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "The operator has not looked at the last change yet" }
end

local found = {}
for _, condition in ipairs(status.conditions) do
  found[condition.type] = condition
end
local function holds(name)
  return found[name] ~= nil and found[name].status == "True"
end
local function said(name)
  return found[name].reason .. ": " .. (found[name].message or "")
end

if holds("Paused") then
  return { status = "Suspended", message = said("Paused") }
end
if holds("Stalled") then
  return { status = "Degraded", message = said("Stalled") }
end
if holds("Reconciling") then
  return { status = "Progressing", message = said("Reconciling") }
end
if holds("Ready") then
  return { status = "Healthy", message = said("Ready") }
end
if found.Ready ~= nil and found.Ready.status == "False" then
  return { status = "Degraded", message = said("Ready") }
end
return { status = "Progressing", message = "Nothing is known yet" }
