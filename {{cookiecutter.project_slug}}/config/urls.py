"""URLs of the site, https://docs.djangoproject.com/en/stable/topics/http/urls/."""

from django.contrib import admin
from django.urls import path

from config import views

urlpatterns = [
    path("", views.home, name="home"),
    path("health/", views.health, name="health"),
    path("admin/", admin.site.urls),
]
