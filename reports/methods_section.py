"""x"""
ENDINGS={}
def written(r,f): return ""
